using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Akvam.Cpu.Events;
using Akvam.Cpu.Memory;
using Akvam.Cpu.Native;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Interpreter;

/// <summary>
/// The decoded code of one processor. Blocks are found by linear address through a direct-mapped table (a hit needs the same fetch tag, mode, page
/// version and epoch), otherwise by host address through a hash table.
/// </summary>
/// <remarks>
/// Valid because all of it belongs to one processor's thread; memory is one arena whose regions are emptied in turn, between two blocks, when nobody has one of them. A block is used only after its page's version was compared, so a write to the page by anybody (CPU or device) makes it compare its bytes first.
/// </remarks>
public sealed unsafe partial class BlockCache : IDisposable
{
    private const int LookupBits = 14;
    private const int RowSize = 64;
    private const ulong RowMask = (1 << LookupBits) - RowSize;
    private const int BucketBits = 16;
    private const int FetchEntries = 256;
    private const int CodePageWords = 256;

    /// <summary>In so many other blocks the code of a block may be.</summary>
    private const int MaxCopies = 2;
    internal const int MaxInstructions = 48;
    internal const int MaxBytes = 224;

    private readonly Processor _processor;
    private readonly BlockDecoder _decoder;
    private readonly Block** _lookup;
    private readonly Block** _buckets;
    private readonly FetchEntry* _fetch;
    private readonly nuint _arenaBytes;
    private readonly byte* _arena;
    private readonly Regions _regions;

    /// <summary>A bit for each linear page (and others that share it) that code was looked up in since everything was forgotten.</summary>
    private readonly ulong[] _codePages = new ulong[CodePageWords];

    internal BlockCache(Processor processor)
    {
        _arenaBytes = (nuint)processor.CacheSizes.Decoded;
        _regions = new Regions(processor.CacheSizes.Decoded, processor.CacheSizes.Regions);
        ArgumentOutOfRangeException.ThrowIfLessThan(_regions.Size, 2 * BlockDecoder.MaxBlockBytes);
        _processor = processor;
        _decoder = new BlockDecoder(processor);
        _lookup = (Block**)NativeMemory.AllocZeroed(1 << LookupBits, (nuint)sizeof(Block*));
        _buckets = (Block**)NativeMemory.AllocZeroed(1 << BucketBits, (nuint)sizeof(Block*));
        _fetch = (FetchEntry*)NativeMemory.AllocZeroed(FetchEntries, (nuint)sizeof(FetchEntry));
        _arena = LargeMemory.Allocate(_arenaBytes);
        ForgetLookups();
    }

    /// <summary>Translation of a page that code is fetched from.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct FetchEntry
    {
        /// <summary>Linear page and fetch tag.</summary>
        public ulong Tag;
        public byte* Host;
        public uint* Version;
    }

    /// <summary>
    /// The block at the current RIP; null: it cannot be fetched, the fault is set. A block whose page changed is compared with memory first.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal Block* Find(CpuState* s)
    {
        ulong linear = s->Rip + s->CodeBase;
        Block* b = *Slot(linear);
        if (b != null && b->Linear == linear && b->Tag == s->CodeTag && b->Mode == s->Mode && b->SeenVersion == *b->Version && b->Epoch == s->Epoch)
        {
            return b;
        }

        return FindSlow(s);
    }

    /// <summary>Blocks of one page occupy one row of the table, so that a page can be forgotten quickly.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Block** Slot(ulong linear) => _lookup + (((linear >> 6) & RowMask) ^ ((linear ^ (linear >> 6)) & (RowSize - 1)));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private Block* FindSlow(CpuState* s)
    {
        Block* b;
        do
        {
            _waited = false;
            b = FindOrDecode(s);
        }
        while (_waited);
        return b;
    }

    /// <summary>Where an address in CS is.</summary>
    internal static ulong Linear(CpuState* s, ulong rip) => (rip + s->CodeBase) & s->RipMask;

    private static ulong Limit(CpuState* s) => (s->Mode & ModeKey.BitnessMask) == ModeKey.Code64 ? ulong.MaxValue : s->CodeLimit;

    /// <summary>One attempt, to be repeated when it ended with <see cref="_waited"/>.</summary>
    private Block* FindOrDecode(CpuState* s)
    {
        bool code64 = (s->Mode & ModeKey.BitnessMask) == ModeKey.Code64;
        ulong linear = Linear(s, s->Rip), limit = Limit(s);
        if (s->Rip > limit || (code64 && !Canonical.Is(s, linear)))
        {
            Fault.Gp(s, 0);
            return null;
        }

        if (!Fetch(s, linear, out FetchEntry page))
        {
            return null;
        }

        MarkAsCode(page.Host, page.Version);
        if (_waited)
        {
            return null;
        }

        byte* host = page.Host + (linear & 4095);
        bool limited = (s->Mode & ModeKey.CsNotFlat) != 0;
        Block** bucket = Bucket(host, s->Mode);
        for (Block* b = *bucket; b != null; b = b->NextInBucket)
        {
            if (b->Host != host || b->Mode != s->Mode || (b->HostCode != null && (b->Rip != s->Rip || !b->Page->IsUnder(s))))
            {
                continue;
            }

            if (limited && s->Rip + b->Bytes - 1 > limit)
            {
                // Decoded where CS was longer: decode again up to the limit.
                Unlink(bucket, b);
                break;
            }

            if (!IsCurrent(s, b, linear))
            {
                if (_waited || (s->Abort == AbortReason.Fault && s->Fault.Vector == Vector.PF && _fetchFailed))
                {
                    return null;
                }

                Unlink(bucket, b);
                break;
            }

            return Remember(s, b, linear);
        }

        MakeRoom();
        bucket = Bucket(host, s->Mode);
        Block* made = _decoder.Decode(s, linear, page, limit, Next);
        if (made == null)
        {
            return null;
        }

        int inPage = Block.BytesInPage(made);
        CodeMap.NoteCode(made->Version, made->Host, inPage);
        if (!Same(made->Host, Block.Code(made), inPage) || (made->Host2 != null && !IsSecondCurrent(made)))
        {
            // Another processor wrote here before it could know that this is code.
            _waited = true;
            return null;
        }

        Take(made);
        made->Heat = TakeHeat(bucket);
        Append(bucket, made);
        return Remember(s, made, linear);
    }

    /// <summary>Where the next block goes.</summary>
    private Block* Next => (Block*)(_arena + _regions.Next);

    private void Take(Block* b) => _regions.Take(Size(b));

    /// <summary>
    /// A block that is about to be translated, from now on with the code behind its conditional jumps if that was executed <paramref name="heat"/> times as a block of its
    /// own (see <see cref="MayGoOnWith"/>). The jumps that are taken then leave in the middle. There has to be room for it.
    /// </summary>
    internal Block* Extend(CpuState* s, Block* b, int heat)
    {
        Insn* last = Block.First(b) + b->Count - 1;
        if (!IsConditionalJump(last) || last->Imm == 0 || !MayGoOnWith(b->Host + b->Bytes, b->Mode, heat))
        {
            return b;
        }

        ulong linear = Linear(s, s->Rip);
        var page = new FetchEntry { Host = (byte*)((ulong)b->Host & ~4095ul), Version = b->Version };
        Block* made = _decoder.Decode(s, linear, page, Limit(s), Next, heat);
        CodeMap.NoteCode(made->Version, made->Host, made->Bytes);
        if (made->Count <= b->Count || !Same(made->Host, Block.Code(made), made->Bytes) || !Same(Block.Code(made), Block.Code(b), b->Bytes))
        {
            return b;
        }

        Take(made);
        made->Heat = b->Heat;
        made->Copies = b->Copies;
        for (Insn* i = Block.First(made), end = i + made->Count - 1; i != end; i++)
        {
            made->Behind += IsConditionalJump(i) ? (byte)1 : (byte)0;
        }

        // Nobody has it but the tables: it has no host code yet.
        Block** bucket = Bucket(b->Host, b->Mode);
        Unlink(bucket, b);
        Append(bucket, made);
        CountCopies(made, 1);
        return Remember(s, made, linear);
    }

    /// <summary>
    /// A block may go on with what is at a host address: there is a block that was executed often enough (with 0 it need not be there), and is not in too many others yet. Between
    /// short jumps each place where one of them leads to begins a block, and each would go on with all that follow.
    /// </summary>
    internal bool MayGoOnWith(byte* host, ModeKey mode, int heat)
    {
        Block* b = At(host, mode);
        return b == null ? heat == 0 : b->Heat >= heat && b->Copies < MaxCopies;
    }

    private Block* At(byte* host, ModeKey mode)
    {
        Block* b = *Bucket(host, mode);
        while (b != null && (b->Host != host || b->Mode != mode))
        {
            b = b->NextInBucket;
        }

        return b;
    }

    /// <summary>A block comes into the tables, or leaves them (-1), which goes on behind jumps: those that it goes on with know in how many others they are.</summary>
    private void CountCopies(Block* b, int by)
    {
        Insn* i = Block.First(b);
        for (int left = b->Behind; left != 0; i++)
        {
            if (!IsConditionalJump(i))
            {
                continue;
            }

            left--;

            // One that was decoded since may know of fewer.
            Block* behind = At(b->Host + i->Offset + i->Length, b->Mode);
            if (behind != null && behind->Copies + by >= 0)
            {
                behind->Copies = (byte)(behind->Copies + by);
            }
        }
    }

    private static bool IsConditionalJump(Insn* i) => Iced.Intel.InstructionInfoExtensions.IsJccShortOrNear((Iced.Intel.Code)i->Code);

    private bool _fetchFailed;

    /// <summary>
    /// Another thread changed something meanwhile, or, because <see cref="MarkAsCode"/> had to wait, may have changed anything: everything is looked up again.
    /// </summary>
    private bool _waited;

    /// <summary>True when memory still holds the bytes that the block was decoded from.</summary>
    private bool IsCurrent(CpuState* s, Block* b, ulong linear)
    {
        _fetchFailed = false;
        uint v = CodeMap.Current(b->Version);
        int first = Block.BytesInPage(b);
        if (b->Host2 != null)
        {
            if (!Fetch(s, SecondPage(s, linear), out FetchEntry page2))
            {
                _fetchFailed = true;
                return false;
            }

            if (page2.Host != b->Host2)
            {
                return false;
            }

            MarkAsCode(page2.Host, page2.Version);
            if (_waited || !IsSecondCurrent(b))
            {
                return false;
            }
        }

        CodeMap.NoteCode(b->Version, b->Host, first);
        if ((b->SeenVersion != v || b->Epoch != s->Epoch || b->Host2 != null) && !Same(b->Host, Block.Code(b), first))
        {
            return false;
        }

        b->SeenVersion = v;
        b->Epoch = s->Epoch;
        return true;
    }

    /// <summary>Memory holds what the block has in its second page; writes there raise the page's version from now on.</summary>
    private static bool IsSecondCurrent(Block* b)
    {
        int first = Block.BytesInPage(b), rest = b->Bytes - first;
        b->SeenVersion2 = CodeMap.Current(b->Version2);
        CodeMap.NoteCode(b->Version2, b->Host2, rest);
        return Same(b->Host2, Block.Code(b) + first, rest);
    }

    /// <summary>The page behind the one with a linear address; addresses outside 64-bit code wrap.</summary>
    internal static ulong SecondPage(CpuState* s, ulong linear)
    {
        ulong second = (linear & ~4095ul) + 4096;
        return (s->Mode & ModeKey.BitnessMask) == ModeKey.Code64 ? second : (uint)second;
    }

    private static bool Same(byte* a, byte* b, int n) => new ReadOnlySpan<byte>(a, n).SequenceEqual(new ReadOnlySpan<byte>(b, n));

    private Block* Remember(CpuState* s, Block* b, ulong linear)
    {
        // A block over two pages, or in a CS that is not flat, is checked at every entry: it never matches in the table.
        bool direct = b->Host2 == null && (s->Mode & ModeKey.CsNotFlat) == 0;
        b->Linear = direct ? s->Rip + s->CodeBase : 0;
        b->Tag = direct ? s->CodeTag : ulong.MaxValue;
        b->Epoch = s->Epoch;
        *Slot(s->Rip + s->CodeBase) = b;
        return b;
    }

    /// <summary>True when the last <see cref="MarkAsCode"/> had to wait: look everything up again.</summary>
    internal bool HasWaited => _waited;

    /// <summary>From now on writes to the page raise its version: takes the page's write permission out of every TLB of the machine.</summary>
    internal void MarkAsCode(byte* host, uint* version)
    {
        if (Volatile.Read(ref *version) != 0)
        {
            return;
        }

        ProcessorGroup group = _processor.Group;
        if (group.Processors.Length == 1)
        {
            CodeMap.Begin(version);
            Track(_processor, host);
            return;
        }

        nint v = (nint)version, page = (nint)host;
        group.Exclusive(
            () =>
            {
                if (*(uint*)v == 0)
                {
                    CodeMap.Begin((uint*)v);
                }

                foreach (Processor p in group.Processors)
                {
                    Track(p, (byte*)page);
                }
            },
            _processor);
        _waited = true;
    }

    private static void Track(Processor p, byte* host)
    {
        Translator.TlbWindow.ForgetAll(p.State);
        TlbEntry* e = Mem.Entry(p.State, 0);
        for (int n = 0; n < Mem.DtlbEntries; n++, e++)
        {
            if (e->Write == TlbEntry.Invalid)
            {
                continue;
            }

            if ((byte*)((e->Write & ~TlbTag.Mask) + e->Addend) == host)
            {
                e->Tracked = e->Write;
                e->Write = TlbEntry.Invalid;
            }
        }
    }

    /// <summary>Translates a page to fetch from; false: the fault is set.</summary>
    internal bool Fetch(CpuState* s, ulong linear, out FetchEntry entry)
    {
        FetchEntry* e = _fetch + ((linear >> 12) & (FetchEntries - 1));
        ulong tag = (linear & ~4095ul) | s->CodeTag;
        if (e->Tag == tag)
        {
            entry = *e;
            return true;
        }

        entry = default;
        if (!PageWalker.Translate(s, linear, AccessKind.Execute, s->CodeTag & TlbTag.WhoMask, out PageWalk walk))
        {
            // What the guest's handler maps here may have been read in by user space meanwhile, over code that we know.
            s->Epoch++;
            return false;
        }

        CodePages(linear) |= 1ul << (int)((linear >> 12) & 63);

        PhysicalMemory memory = _processor.Group.Memory;
        MemorySlot? slot = memory.Find(s->InSmm, walk.Gpa);
        if (slot == null)
        {
            // No RAM to execute from. KVM gives up emulating here; so do we.
            s->Abort = AbortReason.NoCode;
            return false;
        }

        if (walk.Large || walk.Huge)
        {
            _processor.Contexts.NoteLarge(linear, walk.Huge);
        }

        e->Tag = tag;
        e->Host = slot.Host + ((walk.Gpa & ~4095ul) - slot.Gpa);
        e->Version = memory.Code.VersionOf(e->Host);
        entry = *e;
        return true;
    }

    /// <summary>The blocks of a page are in one part of the table, side by side: code that runs for the first time finds the next ones in the host's cache.</summary>
    private Block** Bucket(byte* host, ModeKey mode)
    {
        const int Distance = 3;
        ulong page = (((ulong)host & ~4095ul) ^ ((ulong)mode << 24)) * 0x9E37_79B9_7F4A_7C15;
        ulong n = ((page >> (64 - BucketBits)) + (((ulong)host & 4095) >> Distance)) & ((1 << BucketBits) - 1);
        return _buckets + n;
    }

    /// <summary>The last one of its bucket: those that go first are at the front, where they are found at once.</summary>
    private static void Append(Block** bucket, Block* b)
    {
        while (*bucket != null)
        {
            bucket = &(*bucket)->NextInBucket;
        }

        b->NextInBucket = null;
        *bucket = b;
    }

    private void Unlink(Block** bucket, Block* b)
    {
        for (Block** p = bucket; *p != null; p = &(*p)->NextInBucket)
        {
            if (*p == b)
            {
                *p = b->NextInBucket;
                break;
            }
        }

        CountCopies(b, -1);

        // Nothing may find it through the lookup table either.
        b->Tag = ulong.MaxValue;
        if (b->HostCode != null)
        {
            _processor.Translator!.Drop(b);
        }
    }

    /// <summary>The word of <see cref="_codePages"/> with a linear page's bit.</summary>
    private ref ulong CodePages(ulong linear) => ref _codePages[((linear >> 18) ^ (linear >> 26)) & (CodePageWords - 1)];

    /// <summary>Forgets what was looked up in one linear page (INVLPG).</summary>
    internal void ForgetPage(ulong linear)
    {
        if ((CodePages(linear) & (1ul << (int)((linear >> 12) & 63))) == 0)
        {
            return;
        }

        (_fetch + ((linear >> 12) & (FetchEntries - 1)))->Tag = ulong.MaxValue;
        new Span<nint>(_lookup + ((linear >> 6) & RowMask), RowSize).Clear();
        _processor.Translator?.ForgetPage(linear);
    }

    /// <summary>Forgets all translations of code addresses; decoded blocks stay.</summary>
    internal void ForgetLookups()
    {
        new Span<nint>(_lookup, 1 << LookupBits).Clear();
        Array.Clear(_codePages);
        for (int n = 0; n < FetchEntries; n++)
        {
            _fetch[n].Tag = ulong.MaxValue;
        }

        _processor.Translator?.ForgetLookups();
    }

    /// <summary>A copy of a block that only its maker knows of. There has to be room for it.</summary>
    internal Block* Copy(Block* b)
    {
        Block* copy = Next;
        Buffer.MemoryCopy(b, copy, Size(b), Size(b));
        Take(copy);
        copy->NextInBucket = null;
        copy->Behind = 0;
        copy->HostCode = null;
        copy->Incoming = null;
        return copy;
    }

    private static int Size(Block* b) => (sizeof(Block) + (b->Count * sizeof(Insn)) + b->Bytes + 15) & ~15;

    /// <summary>Drops everything: a memory slot went away, or CPUID changed.</summary>
    internal void Reset()
    {
        ForgetLookups();
        new Span<nint>(_buckets, 1 << BucketBits).Clear();
        _regions.Clear();
        _processor.Translator?.Reset();
    }

    public void Dispose()
    {
        NativeMemory.Free(_lookup);
        NativeMemory.Free(_buckets);
        NativeMemory.Free(_fetch);
        LargeMemory.Free(_arena, _arenaBytes);
    }
}
