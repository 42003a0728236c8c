using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.Native;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Translator;

/// <summary>The host code of one processor, and how its pieces hang together: pages, edges between blocks, and the table of indirect branches.</summary>
/// <remarks>
/// Valid because it is touched by the processor's own thread only, and nothing in it is reused before <see cref="Evict"/> or <see cref="Reset"/>, after which no host
/// code runs that was made there before: both are called while none runs, so that no return is expected to go to it, and no other way leads there.
/// </remarks>
internal sealed unsafe partial class CodeStore : IDisposable
{
    private const int PageBits = 10;

    /// <summary>Where mode and epoch are in a stamp. Between them is the number of the code segment: 0 in 64-bit code, and where CS is flat.</summary>
    public const int ModeShift = 12, EpochShift = 40;

    private const int SegmentShift = 36, MaxSegments = 15;

    private readonly CpuState* _state;
    private readonly CodeChunk _code;
    private readonly byte* _records;

    /// <summary>Those of the code, behind the routines, and those of the records of that code: they are filled and emptied together.</summary>
    private readonly Regions _codeRegions, _recordRegions;
    private readonly CodePagePool _pool;
    private readonly CodePage** _pages = (CodePage**)NativeMemory.AllocZeroed(1 << PageBits, (nuint)sizeof(CodePage*));
    private readonly JumpTable _jumps;

    /// <summary>Base and limit of the code segments that stamps have numbers of.</summary>
    private readonly List<(ulong Base, uint Limit)> _segments = [];
    private int _routineBytes;
    private CodeRecord* _record;
    private uint _era;

    public CodeStore(CpuState* s, CodeCacheSizes sizes)
    {
        _state = s;
        _jumps = new JumpTable(s);
        _code = new CodeChunk(Emitter.MaxBytes + sizes.HostCode);
        _records = (byte*)NativeMemory.Alloc((nuint)sizes.Records);
        _codeRegions = new Regions(sizes.HostCode, sizes.Regions);
        _recordRegions = new Regions(sizes.Records, sizes.Regions);
        _pool = new CodePagePool(sizes.Pages, sizes.Copies);
        ArgumentOutOfRangeException.ThrowIfLessThan(_recordRegions.Size, RecordBytes(BlockCache.MaxInstructions));
    }

    /// <summary>Where the next code goes.</summary>
    public nint Next => _code.Next;

    /// <summary>Keeps the code that all blocks share.</summary>
    public void AddRoutines(ReadOnlySpan<byte> code)
    {
        _code.Add(code);
        _routineBytes = (_code.Used + 15) & ~15;
        _jumps.Clear();
    }

    /// <summary>There is room for two pages, and for the edges of a block of so many instructions.</summary>
    public bool HasRoom(int instructions) => _pool.HasTwo && _recordRegions.HasRoom(RecordBytes(instructions));

    /// <summary>That of the host code that is being made.</summary>
    public CodeRecord* Record => _record;

    /// <summary>The edges that are made next belong to the same host code.</summary>
    public void BeginRecord()
    {
        _record = (CodeRecord*)(_records + _recordRegions.Next);
        *_record = default;
    }

    public Edge* NewEdge() => (Edge*)(_record + 1) + _record->Edges++;

    /// <summary>A block gets the host code whose edges were made last. False: it does not fit in any more.</summary>
    public bool TryAdd(Block* b, ReadOnlySpan<byte> code)
    {
        if (!_codeRegions.HasRoom(code.Length))
        {
            return false;
        }

        Debug.Assert(_record->Edges <= MostEdges(b->Count), "more edges than there is room for");
        b->HostCode = (byte*)_code.Add(code);
        b->Record = _recordRegions.Next;
        _record->Block = b;
        _codeRegions.Take(code.Length);
        _recordRegions.Take(sizeof(CodeRecord) + (_record->Edges * sizeof(Edge)));
        Publish(b);
        return true;
    }

    /// <summary>Each instruction may leave in the middle, or begin a group of accesses; the last one has two ways.</summary>
    private static int MostEdges(int instructions) => (2 * instructions) + 2;

    private static int RecordBytes(int instructions) => sizeof(CodeRecord) + (MostEdges(instructions) * sizeof(Edge));

    /// <summary>Tag, mode, code segment and the low bits of the epoch in one word; when these begin again, nothing counts as checked.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong StampOf(CpuState* s)
    {
        uint era = s->Epoch >> (64 - EpochShift);
        if (era != _era)
        {
            _era = era;
            ForgetLookups();
        }

        ulong stamp = s->CodeTag | ((ulong)s->Mode << ModeShift) | ((ulong)s->Epoch << EpochShift);
        return (s->Mode & ModeKey.CsNotFlat) == 0 ? stamp : stamp | (SegmentNumber(s) << SegmentShift);
    }

    /// <summary>From 1; when there are too many, nothing counts as checked and they begin again.</summary>
    private ulong SegmentNumber(CpuState* s)
    {
        int number = _segments.IndexOf((s->CodeBase, s->CodeLimit));
        if (number < 0)
        {
            if (_segments.Count == MaxSegments)
            {
                _segments.Clear();
                ForgetLookups();
            }

            number = _segments.Count;
            _segments.Add((s->CodeBase, s->CodeLimit));
        }

        return (ulong)number + 1;
    }

    /// <summary>Gives a block that is at the current RIP its page, or pages; it has just been compared with memory.</summary>
    public void SetPages(CpuState* s, Block* b)
    {
        ulong linear = BlockCache.Linear(s, s->Rip);
        b->Page = PageOf(s, linear & ~4095ul, (byte*)((ulong)b->Host & ~4095ul), b->Version, b->SeenVersion);
        b->Page2 = b->Host2 == null ? null : PageOf(s, BlockCache.SecondPage(s, linear), b->Host2, b->Version2, b->SeenVersion2);
    }

    private CodePage* PageOf(CpuState* s, ulong linear, byte* host, uint* version, uint seenVersion)
    {
        CodePage** bucket = _pages + Bucket(linear);
        for (CodePage* p = *bucket; p != null; p = p->NextInBucket)
        {
            if (p->Linear == linear && p->Host == host && p->Mode == s->Mode && p->IsUnder(s))
            {
                return p;
            }
        }

        CodePage* page = _pool.Take();
        *page = new CodePage
        {
            Stamp = CodePage.Unverified,
            Version = version,
            SeenVersion = seenVersion,
            Epoch = s->Epoch,
            Host = host,
            Linear = linear,
            Mode = s->Mode,
            CodeBase = s->CodeBase,
            CodeLimit = s->CodeLimit,
            NextInBucket = *bucket,
        };
        *bucket = page;
        return page;
    }

    /// <summary>Does what <see cref="CpuState.WindowlessSite"/> asks for.</summary>
    public void DropWindow(CpuState* s)
    {
        _code.PatchJump(s->WindowlessSite, s->WindowlessSearch);
        s->WindowlessSite = 0;
    }

    /// <summary>The page was found where it is under <paramref name="stamp"/>: compares its blocks with memory if that may have changed, and drops those that differ.</summary>
    public void Verify(CodePage* page, ulong stamp, uint epoch)
    {
        uint version = CodeMap.Current(page->Version);
        if (page->Epoch != epoch || page->SeenVersion != version)
        {
            CodeMap.NoteCode(page->Version, page->Copy.Granules);
            if (page->Copy.Granules == 0 || !page->Copy.Matches(page->Host))
            {
                Compare(page);
            }

            page->SeenVersion = version;
            page->Epoch = epoch;
        }

        page->Stamp = stamp;
    }

    /// <summary>A block got host code.</summary>
    private void Publish(Block* b)
    {
        b->NextInPage = b->Page->Blocks;
        PutInPage(b, &b->Page->Blocks);
        Publish(b->Page, PartIn(b->Page, b));
        if (b->Page2 != null)
        {
            b->NextAcross = b->Page2->Across;
            b->Page2->Across = b;
            Publish(b->Page2, PartIn(b->Page2, b));
        }
    }

    private static void Publish(CodePage* page, Part part)
    {
        if (page->Copy.Granules == 0)
        {
            return;
        }

        page->Copy.Take(page->Host, part.Granules);
        if (!page->Copy.Has(part.Offset, part.Code, part.Size))
        {
            // The page has changed since: which blocks are good is found out before one of them is entered.
            page->Copy.Granules = 0;
        }
    }

    /// <summary>What a block has of its code in one page.</summary>
    private readonly struct Part(int offset, byte* code, int size)
    {
        public readonly int Offset = offset, Size = size;
        public readonly byte* Code = code;

        public ulong Granules => CodeMap.Granules((byte*)Offset, Size);
    }

    private static Part PartIn(CodePage* page, Block* b)
    {
        int first = Block.BytesInPage(b);
        return page == b->Page2 ? new Part(0, Block.Code(b) + first, b->Bytes - first) : new Part((int)((ulong)b->Host & (PageCopy.Size - 1)), Block.Code(b), first);
    }

    /// <summary>Copies the page's code anew, and drops blocks that were made from something else.</summary>
    private void Compare(CodePage* page)
    {
        ref PageCopy copy = ref page->Copy;
        if (copy.Bytes == null)
        {
            _pool.GiveCopy(page);
        }

        ulong granules = 0;
        for (Block* b = page->Blocks; b != null; b = b->NextInPage)
        {
            granules |= PartIn(page, b).Granules;
        }

        for (Block* b = page->Across; b != null; b = b->NextAcross)
        {
            granules |= PartIn(page, b).Granules;
        }

        CodeMap.NoteCode(page->Version, granules);
        copy.Granules = 0;
        copy.Take(page->Host, granules);
        for (Block* b = page->Blocks, next; b != null; b = next)
        {
            next = b->NextInPage;
            DropUnlessIn(page, b);
        }

        for (Block* b = page->Across, next; b != null; b = next)
        {
            next = b->NextAcross;
            DropUnlessIn(page, b);
        }
    }

    private void DropUnlessIn(CodePage* page, Block* b)
    {
        Part part = PartIn(page, b);
        if (!page->Copy.Has(part.Offset, part.Code, part.Size))
        {
            Drop(b);
        }
    }

    /// <summary>Indirect branches find the block from now on.</summary>
    public void Remember(Block* b) => _jumps.Set(b->Rip, (nint)b->HostCode);

    /// <summary>Makes an edge lead to a block: within a page straight in, otherwise through the checks.</summary>
    public void Link(Edge* edge, Block* b)
    {
        int entry = edge->Page != b->Page ? 0 : edge->Back ? b->PolledEntry : b->DirectEntry;
        _code.Patch(edge->Site, (nint)b->HostCode + entry);
        edge->NextIncoming = b->Incoming;
        edge->Link = &b->Incoming;
        if (edge->NextIncoming != null)
        {
            edge->NextIncoming->Link = &edge->NextIncoming;
        }

        b->Incoming = edge;
    }

    /// <summary>Takes a block's host code out of every way to it. What runs in it may finish.</summary>
    public void Drop(Block* b)
    {
        ((CodeRecord*)(_records + b->Record))->Block = null;
        TakeFromPages(b);
        Disconnect(b);
        b->Heat = 0;
    }

    /// <summary>No edge leads to a block any more, nor does the table. It stays in its page.</summary>
    private void Disconnect(Block* b)
    {
        for (Edge* e = b->Incoming; e != null; e = e->NextIncoming)
        {
            _code.Patch(e->Site, e->Site + e->Stub);
            e->Link = null;
        }

        b->Incoming = null;
        _jumps.Remove(b->Rip, (nint)b->HostCode);
        b->HostCode = null;
    }

    /// <summary>A block with host code is about to be somewhere else: whoever knows it knows it there from now on.</summary>
    public void Move(Block* b, Block* to)
    {
        ((CodeRecord*)(_records + b->Record))->Block = to;
        if (b->Incoming != null)
        {
            b->Incoming->Link = &to->Incoming;
        }

        *b->LinkInPage = to;
        if (b->NextInPage != null)
        {
            b->NextInPage->LinkInPage = &to->NextInPage;
        }

        if (b->Page2 != null)
        {
            *PlaceAcross(b) = to;
        }
    }

    /// <summary>Before the block that is the next one in its page already.</summary>
    private static void PutInPage(Block* b, Block** link)
    {
        *link = b;
        b->LinkInPage = link;
        if (b->NextInPage != null)
        {
            b->NextInPage->LinkInPage = &b->NextInPage;
        }
    }

    private static void TakeFromPages(Block* b)
    {
        *b->LinkInPage = b->NextInPage;
        if (b->NextInPage != null)
        {
            b->NextInPage->LinkInPage = b->LinkInPage;
        }

        if (b->Page2 != null)
        {
            *PlaceAcross(b) = b->NextAcross;
        }
    }

    /// <summary>What points to a block in the list of its second page, which is short.</summary>
    private static Block** PlaceAcross(Block* b)
    {
        Block** p = &b->Page2->Across;
        while (*p != b)
        {
            p = &(*p)->NextAcross;
        }

        return p;
    }

    /// <summary>A linear page may be mapped elsewhere.</summary>
    public void ForgetPage(ulong linear)
    {
        for (CodePage* p = _pages[Bucket(linear)]; p != null; p = p->NextInBucket)
        {
            if (((p->Linear ^ linear) & ~4095ul) == 0)
            {
                p->Stamp = CodePage.Unverified;
            }
        }
    }

    public void ForgetLookups()
    {
        for (int n = 0; n < 1 << PageBits; n++)
        {
            for (CodePage* p = _pages[n]; p != null; p = p->NextInBucket)
            {
                p->Stamp = CodePage.Unverified;
            }
        }
    }

    /// <summary>Drops everything; the blocks are gone already.</summary>
    public void Reset()
    {
        _code.MoveTo(_routineBytes);
        _codeRegions.Clear();
        _recordRegions.Clear();
        _pool.Clear();
        new Span<nint>(_pages, 1 << PageBits).Clear();
        _jumps.Clear();
        ForgetSites();
    }

    public void Dispose()
    {
        _code.Dispose();
        _pool.Dispose();
        NativeMemory.Free(_records);
        NativeMemory.Free(_pages);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Bucket(ulong linear) => (int)((linear >> 12) * 0x9E37_79B9 >> 7) & ((1 << PageBits) - 1);
}
