using System.Globalization;
using Akvam.Cpu.Interpreter;

namespace Akvam.Cpu.Translator;

/// <remarks>Valid as the rest of it. What must hold between two runs, for tests: whatever a mistake leaves behind is found before host code goes astray.</remarks>
internal sealed unsafe partial class CodeStore
{
    /// <summary>What does not fit together; null: everything does.</summary>
    public string? FindInconsistency()
    {
        var blocks = new HashSet<nint>();
        var incoming = new Dictionary<nint, nint>();
        return FindInPages(blocks, incoming) ?? FindInRecords(blocks, incoming) ?? FindInJumpTable(blocks);
    }

    /// <summary>Collects the blocks with host code, and which edges they know of.</summary>
    private string? FindInPages(HashSet<nint> blocks, Dictionary<nint, nint> incoming)
    {
        int across = 0;
        for (int n = 0; n < 1 << PageBits; n++)
        {
            for (CodePage* page = _pages[n]; page != null; page = page->NextInBucket)
            {
                Block** link = &page->Blocks;
                for (Block* b = page->Blocks; b != null; link = &b->NextInPage, b = b->NextInPage)
                {
                    if (!blocks.Add((nint)b) || b->Page != page || b->LinkInPage != link || b->HostCode == null)
                    {
                        return Say("its page and it do not know each other", b);
                    }

                    across += b->Page2 == null ? 0 : 1;
                    string? found = FindInIncoming(b, incoming) ?? FindInCopy(page, b);
                    if (found != null)
                    {
                        return found;
                    }
                }

                for (Block* b = page->Across; b != null; b = b->NextAcross)
                {
                    across--;
                    if (b->Page2 != page || b->HostCode == null)
                    {
                        return Say("its second page and it do not know each other", b);
                    }
                }
            }
        }

        return across == 0 ? null : $"{across} more blocks in two pages than second pages know of";
    }

    private string? FindInIncoming(Block* b, Dictionary<nint, nint> incoming)
    {
        Edge** link = &b->Incoming;
        for (Edge* e = b->Incoming; e != null; link = &e->NextIncoming, e = e->NextIncoming)
        {
            nint to = _code.TargetOf(e->Site), entry = to - (nint)b->HostCode;
            if (!incoming.TryAdd((nint)e, (nint)b) || e->Link != link || (entry != 0 && entry != b->PolledEntry && entry != b->DirectEntry))
            {
                return Say($"an edge at {e->Site:x} leads to {to:x}, or is linked wrongly", b);
            }
        }

        return null;
    }

    private static string? FindInCopy(CodePage* page, Block* b)
    {
        Part part = PartIn(page, b);
        bool isThere = page->Copy.Granules == 0 || ((part.Granules & ~page->Copy.Granules) == 0 && page->Copy.Has(part.Offset, part.Code, part.Size));
        return isThere ? null : Say("the page's copy has other bytes", b);
    }

    /// <summary>Records lie side by side, in regions as the code does.</summary>
    private string? FindInRecords(HashSet<nint> blocks, Dictionary<nint, nint> incoming)
    {
        int held = 0, linked = 0;
        for (int n = 0; n < _recordRegions.Count; n++)
        {
            (int at, int end) = _recordRegions.Filled(n);
            (int codeStart, int codeEnd) = _codeRegions.Filled(n);
            nint code = _code.Start + _routineBytes, codeFirst = code + codeStart, codeLast = code + codeEnd;
            while (at < end)
            {
                var record = (CodeRecord*)(_records + at);
                Block* b = record->Block;
                if (b != null)
                {
                    held++;
                    if (!blocks.Contains((nint)b) || b->Record != at || (nint)b->HostCode < codeFirst || (nint)b->HostCode >= codeLast)
                    {
                        return $"the record at {at} is of no block, or of another, or its code is elsewhere";
                    }
                }

                for (var e = (Edge*)(record + 1); e != (Edge*)(record + 1) + record->Edges; e++)
                {
                    bool isLinked = e->Link != null;
                    linked += isLinked ? 1 : 0;
                    if (e->Site < codeFirst || e->Site > codeLast || isLinked != incoming.ContainsKey((nint)e) || (!isLinked && _code.TargetOf(e->Site) != e->Site + e->Stub))
                    {
                        return string.Create(CultureInfo.InvariantCulture, $"an edge to {e->Target:x} at {e->Site:x}: linked {isLinked}, leads to {_code.TargetOf(e->Site):x}");
                    }
                }

                at += (int)((byte*)Following(record) - (byte*)record);
            }
        }

        return held != blocks.Count || linked != incoming.Count ? $"{blocks.Count} blocks with {held} records, {incoming.Count} edges of which {linked} are there" : null;
    }

    private string? FindInJumpTable(HashSet<nint> blocks)
    {
        var code = new HashSet<(ulong Rip, nint HostCode)>();
        foreach (nint b in blocks)
        {
            code.Add((((Block*)b)->Rip, (nint)((Block*)b)->HostCode));
        }

        return _jumps.FindOther(code) is ulong target ? string.Create(CultureInfo.InvariantCulture, $"jumps to {target:x} lead to code that is no more") : null;
    }

    private static string Say(string what, Block* b) => string.Create(CultureInfo.InvariantCulture, $"{what}: block {b->Rip:x} at {(nint)b:x}");
}
