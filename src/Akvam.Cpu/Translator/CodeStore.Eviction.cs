using Akvam.Cpu.Native;

namespace Akvam.Cpu.Translator;

/// <remarks>Valid as the rest of it. When there is no more room a region of host code goes, and nothing leads to what was in it.</remarks>
internal sealed unsafe partial class CodeStore
{
    /// <summary>Host code that went because there was no more room.</summary>
    public EvictionTally Evictions { get; } = new();

    /// <summary>
    /// Makes room: the host code that was made first goes, a region of it. Its blocks stay, with a <paramref name="heat"/> that decides how soon they are translated again.
    /// </summary>
    public void Evict(int heat)
    {
        _codeRegions.Advance();
        _recordRegions.Advance();
        (int at, int end) = _recordRegions.Current;
        if (at == end)
        {
            _code.MoveTo(_routineBytes + _codeRegions.Next);
            return;
        }

        Evictions.BeginRegion();
        byte* first = _records + at, last = _records + end;
        for (CodeRecord* record = (CodeRecord*)first; record != last; record = Following(record))
        {
            var edges = (Edge*)(record + 1);
            for (int n = 0; n < record->Edges; n++)
            {
                Unlink(edges + n);
            }

            if (record->Block != null)
            {
                TakeFromPages(record->Block);
                Disconnect(record->Block);
                record->Block->Heat = heat;
                Evictions.AddBlock();
            }
        }

        _codeRegions.Empty();
        _recordRegions.Empty();
        _code.MoveTo(_routineBytes + _codeRegions.Next);
        ForgetSites();
        GiveEmptyPages();
        Evictions.EndRegion();
    }

    private static CodeRecord* Following(CodeRecord* record) => (CodeRecord*)((Edge*)(record + 1) + record->Edges);

    /// <summary>An edge is about to go. Where it led to need not know of it any more.</summary>
    private static void Unlink(Edge* edge)
    {
        if (edge->Link == null)
        {
            return;
        }

        *edge->Link = edge->NextIncoming;
        if (edge->NextIncoming != null)
        {
            edge->NextIncoming->Link = edge->Link;
        }
    }

    /// <summary>What host code left behind on its way out may be of code that is no more.</summary>
    private void ForgetSites()
    {
        _state->LinkFrom = null;
        _state->WindowlessSite = 0;
    }

    private void GiveEmptyPages()
    {
        for (int n = 0; n < 1 << PageBits; n++)
        {
            CodePage** p = _pages + n;
            while (*p != null)
            {
                CodePage* page = *p;
                if (page->Blocks != null || page->Across != null)
                {
                    p = &page->NextInBucket;
                    continue;
                }

                *p = page->NextInBucket;
                _pool.Give(page);
            }
        }
    }
}
