using Akvam.Cpu.Native;

namespace Akvam.Cpu.Interpreter;

/// <remarks>Valid as the rest of it. When there is no more room a region of blocks goes, but for those that have host code.</remarks>
public sealed unsafe partial class BlockCache
{
    /// <summary>A bit for each bucket: a block of it was hot when it had to go.</summary>
    private readonly ulong[] _wasHot = new ulong[(1 << BucketBits) / 64];

    /// <summary>What was dropped because there was no more room.</summary>
    internal EvictionTally Evictions { get; } = new();

    /// <summary>One more block fits in.</summary>
    internal bool HasRoom => _regions.HasRoom(BlockDecoder.MaxBlockBytes);

    /// <summary>
    /// Makes room for a block if there is none: of the blocks that were decoded first, a region of them, those that have host code move together, up to half of it, and the
    /// others go. Nobody may have a block meanwhile.
    /// </summary>
    internal void MakeRoom()
    {
        if (HasRoom)
        {
            return;
        }

        _regions.Advance();
        (int start, int end) = _regions.Current;
        if (start == end)
        {
            return;
        }

        Evictions.BeginRegion();
        _regions.Empty();
        int mostKept = start + (_regions.Size / 2);
        for (int at = start, size; at != end; at += size)
        {
            var b = (Block*)(_arena + at);
            size = Size(b);
            if (b->HostCode != null && _regions.Next + size <= mostKept)
            {
                Move(b, Next, size);
            }
            else
            {
                Evict(b);
            }
        }

        for (Block** p = _lookup; p != _lookup + (1 << LookupBits); p++)
        {
            if (*p >= _arena + start && *p < _arena + end)
            {
                *p = null;
            }
        }

        Evictions.EndRegion();
    }

    private void Move(Block* b, Block* to, int size)
    {
        _regions.Take(size);
        if (to == b)
        {
            return;
        }

        for (Block** p = Bucket(b->Host, b->Mode); *p != null; p = &(*p)->NextInBucket)
        {
            if (*p == b)
            {
                *p = to;
                break;
            }
        }

        _processor.Translator!.Move(b, to);
        Buffer.MemoryCopy(b, to, size, size);
    }

    private void Evict(Block* b)
    {
        Block** bucket = Bucket(b->Host, b->Mode);
        if (b->HostCode != null || b->Heat > _processor.HeatAfterEviction)
        {
            long n = bucket - _buckets;
            _wasHot[n >> 6] |= 1ul << (int)(n & 63);
        }

        Unlink(bucket, b);
        Evictions.AddBlock();
    }

    /// <summary>What a block begins with: if it was hot before, or another one of its bucket was, it need not be executed as often again.</summary>
    private int TakeHeat(Block** bucket)
    {
        long n = bucket - _buckets;
        ulong bit = 1ul << (int)(n & 63);
        if ((_wasHot[n >> 6] & bit) == 0)
        {
            return 0;
        }

        _wasHot[n >> 6] &= ~bit;
        return _processor.HeatAfterEviction;
    }
}
