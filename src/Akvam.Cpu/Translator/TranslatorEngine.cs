using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using Akvam.Cpu.Diagnostics;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Native;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Translator;

/// <summary>The run loop of the second engine: cold blocks are interpreted, hot ones translated, and host code goes from block to block by itself.</summary>
/// <remarks>
/// Valid because host code belongs to one processor and is dropped together with the blocks it was made from, while none of it runs: the code memory is
/// written again only by that processor's own thread, in this loop.
/// </remarks>
internal sealed unsafe class TranslatorEngine : IDisposable
{
    private const int CodeBytes = 64 << 20;

    private readonly Processor _processor;
    private readonly CodeChunk _code = new(CodeBytes);
    private readonly Emitter _emitter = new();
    private readonly HostRoutines _routines;
    private readonly BlockTranslator _translator;
    private readonly int _routineBytes;
    private readonly long[] _interpreted = new long[Semantics.Isa.Count];
    private ExceptionDispatchInfo? _failure;
    private ulong _cold;
    private long _blocks, _instructions, _hostBytes, _exits, _slowAccesses;

    public TranslatorEngine(Processor processor)
    {
        _processor = processor;
        processor.State->Lookup = processor.Blocks.Lookup;
        _routines = new HostRoutines(_emitter, _code.Next, Fallback.Address);
        _code.Add(_emitter.Bytes);
        _routineBytes = _code.Used;
        _translator = new BlockTranslator(_emitter, _routines);
    }

    public TranslatorStatistics Statistics => new()
    {
        Blocks = _blocks,
        Instructions = _instructions,
        HostBytes = _hostBytes,
        Cold = (long)_cold,
        Exits = _exits,
        SlowAccesses = _slowAccesses,
        Interpreted =
        [
            .. _interpreted.Select((count, code) => KeyValuePair.Create(((Code)code).ToString(), count)).Where(p => p.Value != 0).OrderByDescending(p => p.Value),
        ],
    };

    /// <summary>As <see cref="Engine.Run"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public Flow Run(CpuState* s)
    {
        BlockCache cache = _processor.Blocks;
        int threshold = _processor.TranslateAfter;
        s->LinkFrom = null;

        // A chain of blocks does not count what is left before the limit.
        s->Unchained = s->StopAt == ulong.MaxValue ? 0u : 1u;
        while (Volatile.Read(ref s->Requests) == 0)
        {
            Block* b = cache.Find(s);
            if (b == null)
            {
                return Flow.Abort;
            }

            if (s->LinkFrom != null)
            {
                if (b->Host2 == null)
                {
                    *s->LinkFrom = b;
                }

                s->LinkFrom = null;
            }

            if (s->StopAt - s->Retired < b->Count)
            {
                return Flow.End;
            }

            Flow flow;
            if (s->LeaveToInterpreter != 0)
            {
                s->LeaveToInterpreter = 0;
                flow = Engine.RunBlock(s, b);
            }
            else if (b->HostCode != null || IsHot(s, b, threshold))
            {
                flow = Enter(s, b);
            }
            else
            {
                ulong retired = s->Retired;
                flow = Engine.RunBlock(s, b);
                _cold += s->Retired - retired;
            }

            if (flow == Flow.Abort)
            {
                return flow;
            }
        }

        return Flow.End;
    }

    /// <summary>Counts an instruction that host code left to the interpreter.</summary>
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

    /// <summary>Keeps an exception until host code has returned.</summary>
    public void Fail(Exception e) => _failure = ExceptionDispatchInfo.Capture(e);

    /// <summary>The blocks are gone, and their host code with them.</summary>
    public void Reset() => _code.Truncate(_routineBytes);

    private Flow Enter(CpuState* s, Block* b)
    {
        _exits++;
        HostFlags.FromLazy(s);
        var flow = (Flow)((delegate* unmanaged<CpuState*, byte*, int>)_routines.Enter)(s, b->HostCode);
        HostFlags.ToLazy(s);
        if (_failure != null)
        {
            ExceptionDispatchInfo failure = _failure;
            _failure = null;
            failure.Throw();
        }

        return flow;
    }

    private bool IsHot(CpuState* s, Block* b, int threshold)
    {
        if (b->Heat++ < threshold || b->Host2 != null || (b->Mode & ModeKey.BitnessMask) != ModeKey.Code64)
        {
            return false;
        }

        if (_code.Used > CodeBytes - (2 * Emitter.MaxBytes))
        {
            // Full. Blocks that are still hot come back in no time.
            _processor.Blocks.Reset();
            return false;
        }

        _translator.Translate(b, _code.Next);
        b->HostCode = (byte*)_code.Add(_emitter.Bytes);
        _blocks++;
        _instructions += b->Count;
        _hostBytes += _emitter.Position;
        Announce(s, b);
        return true;
    }

    private void Announce(CpuState* s, Block* b) => _processor.TranslationObserver?.Translated(new Translation
    {
        Linear = b->Linear,
        Bitness = (b->Mode & ModeKey.BitnessMask) switch { ModeKey.Code64 => 64, ModeKey.Code32 => 32, _ => 16 },
        Guest = new ReadOnlySpan<byte>(Block.Code(b), b->Bytes),
        HostAddress = (nint)b->HostCode,
        Host = _emitter.Bytes,
    });

    public void Dispose() => _code.Dispose();
}
