using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using Akvam.Cpu.Diagnostics;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Translator;

/// <summary>The run loop of the second engine: cold blocks are interpreted, hot ones translated, and host code goes from block to block by itself.</summary>
/// <remarks>
/// Valid because host code belongs to one processor and is dropped before the blocks it was made from go: the code memory is written again only by that
/// processor's own thread, in this loop, where none of it runs.
/// </remarks>
internal sealed unsafe class TranslatorEngine : IDisposable
{
    private const int MissesBeforeTwin = 4;

    private readonly Processor _processor;
    private readonly CodeStore _store;
    private readonly Emitter _emitter = new();
    private readonly HostRoutines _routines;
    private readonly BlockTranslator _translator;
    private readonly long[] _interpreted = new long[Semantics.Isa.Count];
    private ExceptionDispatchInfo? _failure;
    private ulong _cold;
    private long _blocks, _instructions, _hostBytes, _exits, _slowAccesses;

    public TranslatorEngine(Processor processor)
    {
        _processor = processor;
        _store = new CodeStore(processor.State, processor.CacheSizes);
        _routines = new HostRoutines(_emitter, _store.Next, Fallback.Address, Fallback.ProbeAddress, Fallback.VerifyAddress);
        _store.AddRoutines(_emitter.Bytes);
        _translator = new BlockTranslator(_emitter, _routines, _store);
    }

    public TranslatorStatistics Statistics => new()
    {
        Blocks = _blocks,
        Instructions = _instructions,
        HostBytes = _hostBytes,
        Cold = (long)_cold,
        Exits = _exits,
        SlowAccesses = _slowAccesses,
        HostCodeEvictions = _store.Evictions.Statistics,
        DecodedEvictions = _processor.Blocks.Evictions.Statistics,
        Resets = Resets,
        Interpreted =
        [
            .. _interpreted.Select((count, code) => KeyValuePair.Create(((Code)code).ToString(), count)).Where(p => p.Value != 0).OrderByDescending(p => p.Value),
        ],
    };

    /// <summary>Times that everything was dropped.</summary>
    public int Resets { get; private set; }

    /// <summary>As <see cref="Engine.Run"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public Flow Run(CpuState* s)
    {
        BlockCache cache = _processor.Blocks;
        int threshold = _processor.TranslateAfter;
        s->LinkFrom = null;
        while (Volatile.Read(ref s->Requests) == 0)
        {
            Block* b = cache.Find(s);
            if (b == null)
            {
                return Flow.Abort;
            }

            if (s->StopAt - s->Retired < b->Count)
            {
                return Flow.End;
            }

            ulong stopAt = s->StopAt;
            if (_processor.StopsAfterBlock)
            {
                s->StopAt = s->Retired + b->Count;
            }

            Flow flow;
            if (s->LeaveToInterpreter != 0)
            {
                s->LeaveToInterpreter = 0;
                flow = Engine.RunBlock(s, b);
            }
            else if (s->LinkFrom != null && s->LinkFrom->Twin ? TryTwin(ref b) : b->HostCode != null || IsHot(s, ref b, threshold))
            {
                flow = Enter(s, b);
            }
            else if (b == null)
            {
                // It is looked up again.
                flow = Flow.Next;
            }
            else
            {
                ulong retired = s->Retired;
                s->LinkFrom = null;
                flow = Engine.RunBlock(s, b);
                _cold += s->Retired - retired;
            }

            s->StopAt = stopAt;
            if (flow == Flow.Abort)
            {
                return flow;
            }

            if (_processor.StopsAfterBlock)
            {
                Processor.Post(s, Request.Kick);
            }
        }

        return Flow.End;
    }

    /// <summary>Counts an instruction that host code left to the interpreter.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Count(ushort code, bool slowAccess)
    {
        if (slowAccess)
        {
            _slowAccesses++;
        }
        else
        {
            _interpreted[code]++;
        }
    }

    /// <summary>The interpreter left a block that host code was in: what host code goes by may have changed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Left(CpuState* s)
    {
        s->Left = s->StopAt - s->Retired;
        s->Stamp = _store.StampOf(s);
    }

    /// <summary>See <see cref="CodeStore.DropWindow"/>.</summary>
    public void DropWindow(CpuState* s) => _store.DropWindow(s);

    /// <summary>
    /// Without a way through the run loop: the page of a block that host code wants to enter is looked up and, if need be, compared. False: the run loop has to see it.
    /// </summary>
    public bool TryVerify(CpuState* s, Block* b)
    {
        if (b->Mode != s->Mode || !b->Page->IsUnder(s) || !IsWhereItWas(s, b->Page) || (b->Page2 != null && !IsWhereItWas(s, b->Page2)))
        {
            return false;
        }

        VerifyPages(s, b);
        return b->HostCode != null;
    }

    private bool IsWhereItWas(CpuState* s, CodePage* page) =>
        _processor.Blocks.Fetch(s, page->Linear, out BlockCache.FetchEntry now) && now.Host == page->Host && Volatile.Read(ref *now.Version) != 0;

    private void VerifyPages(CpuState* s, Block* b)
    {
        CodePage* second = b->Page2;
        _store.Verify(b->Page, s->Stamp, s->Epoch);
        if (second != null)
        {
            _store.Verify(second, s->Stamp, s->Epoch);
        }
    }

    /// <summary>See <see cref="Processor.FindInconsistency"/>.</summary>
    public string? FindInconsistency() => _store.FindInconsistency();

    /// <summary>Keeps an exception until host code has returned.</summary>
    public void Fail(Exception e) => _failure = ExceptionDispatchInfo.Capture(e);

    /// <summary>The block does not have the bytes any more that its host code was made from.</summary>
    public void Drop(Block* b) => _store.Drop(b);

    /// <summary>See <see cref="CodeStore.Move"/>.</summary>
    public void Move(Block* b, Block* to) => _store.Move(b, to);

    /// <summary>A linear page may be mapped elsewhere.</summary>
    public void ForgetPage(ulong linear)
    {
        _store.ForgetPage(linear);
        _processor.State->ForgetReturns = 1;
    }

    /// <summary>Every linear page may be mapped elsewhere.</summary>
    public void ForgetLookups()
    {
        _store.ForgetLookups();
        _processor.State->ForgetReturns = 1;
    }

    /// <summary>The blocks are gone, and their host code with them.</summary>
    public void Reset()
    {
        Resets++;
        _store.Reset();
        _processor.State->Stamp = 0;
    }

    private Flow Enter(CpuState* s, Block* b)
    {
        _exits++;
        Left(s);
        if (b->Page->Stamp != s->Stamp || b->Page->SeenVersion != Volatile.Read(ref *b->Page->Version) || b->Page2 != null)
        {
            VerifyPages(s, b);
            if (b->HostCode == null)
            {
                // Another processor has changed it since it was looked up.
                s->LinkFrom = null;
                return Flow.End;
            }
        }

        bool twin = false;
        if (s->LinkFrom != null)
        {
            twin = s->LinkFrom->Twin;
            if (s->LinkFrom->Target == b->Rip)
            {
                _store.Link(s->LinkFrom, b);
            }

            s->LinkFrom = null;
        }

        if (!twin)
        {
            _store.Remember(b);
        }

        s->ForgetReturns = 0;
        HostFlags.FromLazy(s);
        var flow = (Flow)((delegate* unmanaged<CpuState*, byte*, int>)_routines.Enter)(s, b->HostCode);
        HostFlags.ToLazy(s);
        s->Retired = s->StopAt - s->Left;
        if (_failure != null)
        {
            ExceptionDispatchInfo failure = _failure;
            _failure = null;
            failure.Throw();
        }

        return flow;
    }

    private bool IsHot(CpuState* s, ref Block* b, int threshold)
    {
        if (b->Heat++ < threshold)
        {
            return false;
        }

        if (!HasRoomForBlock(ref b))
        {
            return false;
        }

        if (b->Host2 == null)
        {
            b = _processor.Blocks.Extend(s, b, threshold / 2);
        }

        b->Rip = s->Rip;
        return TryTranslate(b, twin: false);
    }

    /// <summary>After some misses of a group of accesses a block is translated once more from there on, without groups. False: it is interpreted.</summary>
    private bool TryTwin(ref Block* b)
    {
        if (b->Host2 != null || ++_processor.State->LinkFrom->Misses < MissesBeforeTwin || !HasRoomForBlock(ref b))
        {
            return false;
        }

        Block* twin = _processor.Blocks.Copy(b);
        twin->Rip = _processor.State->Rip;
        if (!TryTranslate(twin, twin: true))
        {
            return false;
        }

        b = twin;
        return true;
    }

    /// <summary>For one more block in the cache. If there was none before, nobody may have a block any more.</summary>
    private bool HasRoomForBlock(ref Block* b)
    {
        if (_processor.Blocks.HasRoom)
        {
            return true;
        }

        _processor.Blocks.MakeRoom();
        b = null;
        return false;
    }

    /// <summary>False: not even an empty region has room for the host code of the block.</summary>
    private bool TryTranslate(Block* b, bool twin)
    {
        if (!TryEmit(b, twin))
        {
            // Its jumps go by its place: it is made once more in the next region.
            _store.Evict(_processor.HeatAfterEviction);
            if (!TryEmit(b, twin))
            {
                b->Heat = 0;
                return false;
            }
        }

        _blocks++;
        _instructions += b->Count;
        _hostBytes += _emitter.Position;
        Announce(b);
        return true;
    }

    private bool TryEmit(Block* b, bool twin)
    {
        while (!_store.HasRoom(b->Count))
        {
            _store.Evict(_processor.HeatAfterEviction);
        }

        _store.SetPages(_processor.State, b);
        _store.BeginRecord();
        _translator.Translate(b, _store.Next, twin);
        return _store.TryAdd(b, _emitter.Bytes);
    }

    private void Announce(Block* b) => _processor.TranslationObserver?.Translated(new Translation
    {
        Linear = b->Page->Linear + ((ulong)b->Host & 4095),
        Bitness = (b->Mode & ModeKey.BitnessMask) switch { ModeKey.Code64 => 64, ModeKey.Code32 => 32, _ => 16 },
        Guest = new ReadOnlySpan<byte>(Block.Code(b), b->Bytes),
        HostAddress = (nint)b->HostCode,
        Host = _emitter.Bytes,
    });

    public void Dispose()
    {
        _store.Dispose();
        _routines.Dispose();
    }
}
