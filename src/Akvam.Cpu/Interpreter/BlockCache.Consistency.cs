using System.Globalization;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Interpreter;

/// <remarks>Valid as the rest of it. What must hold between two runs, for tests: whatever a mistake leaves behind is found before it does harm.</remarks>
public sealed unsafe partial class BlockCache
{
    /// <summary>What does not fit together; null: everything does.</summary>
    internal string? FindInconsistency()
    {
        var all = new HashSet<nint>();
        return FindInRegions(all) ?? FindInBuckets(all) ?? FindInLookup(all);
    }

    private bool IsInTables(Block* b)
    {
        Block* other = *Bucket(b->Host, b->Mode);
        while (other != null && other != b)
        {
            other = other->NextInBucket;
        }

        return other != null;
    }

    /// <summary>Blocks lie side by side.</summary>
    private string? FindInRegions(HashSet<nint> all)
    {
        for (int n = 0; n < _regions.Count; n++)
        {
            (int at, int end) = _regions.Filled(n);
            while (at < end)
            {
                var b = (Block*)(_arena + at);
                if (b->Count is 0 or > MaxInstructions || b->Bytes is 0 or > MaxBytes)
                {
                    return Say($"a block of {b->Count} instructions in {b->Bytes} bytes", b);
                }

                all.Add((nint)b);
                at += Size(b);
            }

            if (at != end)
            {
                return $"the blocks of region {n} end {at - end} bytes behind it";
            }
        }

        return null;
    }

    private string? FindInBuckets(HashSet<nint> all)
    {
        for (Block** bucket = _buckets; bucket != _buckets + (1 << BucketBits); bucket++)
        {
            int length = 0;
            for (Block* b = *bucket; b != null; b = b->NextInBucket)
            {
                if (!all.Contains((nint)b))
                {
                    return $"a bucket has a block at {(nint)b:x}, where there is none";
                }

                if (Bucket(b->Host, b->Mode) != bucket || ++length > all.Count)
                {
                    return Say("in the wrong bucket, or twice", b);
                }

                int jumps = 0;
                for (Insn* i = Block.First(b), last = i + b->Count - 1; i != last; i++)
                {
                    jumps += IsConditionalJump(i) ? 1 : 0;
                }

                if (b->Behind != jumps || b->Copies > MaxCopies)
                {
                    return Say($"{jumps} jumps in the middle, {b->Behind} counted; in {b->Copies} others", b);
                }
            }
        }

        return null;
    }

    /// <summary>A block that is found by its address is in its bucket, too.</summary>
    private string? FindInLookup(HashSet<nint> all)
    {
        for (Block** p = _lookup; p != _lookup + (1 << LookupBits); p++)
        {
            if (*p != null && (!all.Contains((nint)(*p)) || ((*p)->Tag != ulong.MaxValue && !IsInTables(*p))))
            {
                return $"a block at {(nint)(*p):x} is found by its address, and has gone";
            }
        }

        return null;
    }

    private static string Say(string what, Block* b) => string.Create(CultureInfo.InvariantCulture, $"{what}: block {b->Linear:x} ({b->Mode & ModeKey.BitnessMask}) at {(nint)b:x}");
}
