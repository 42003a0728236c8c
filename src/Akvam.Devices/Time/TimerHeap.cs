namespace Akvam.Devices;

/// <summary>A binary heap of timers by key, in which each timer has at most one place, so that a guest cannot make it grow.</summary>
/// <remarks>Not for several threads; <see cref="TimerQueue"/> holds the lock.</remarks>
internal sealed class TimerHeap
{
    private Node[] _nodes = new Node[16];
    private int _count;

    public Node? First => _count == 0 ? null : _nodes[0];

    public int Count => _count;

    /// <summary>Gives a node a key, adding it if it is not in the heap.</summary>
    public void Set(Node node, ulong key)
    {
        if (node.Index < 0)
        {
            if (_count == _nodes.Length)
            {
                Array.Resize(ref _nodes, _count * 2);
            }

            node.Key = key;
            Place(_count++, node);
            Rise(node);
        }
        else if (key < node.Key)
        {
            node.Key = key;
            Rise(node);
        }
        else
        {
            node.Key = key;
            Sink(node);
        }
    }

    public void Remove(Node node)
    {
        int index = node.Index;
        if (index < 0)
        {
            return;
        }

        node.Index = -1;
        node.Key = ulong.MaxValue;
        Node last = _nodes[--_count];
        _nodes[_count] = null!;
        if (last != node)
        {
            Place(index, last);
            Rise(last);
            Sink(last);
        }
    }

    private void Rise(Node node)
    {
        while (node.Index > 0)
        {
            int parent = (node.Index - 1) / 2;
            if (_nodes[parent].Key <= node.Key)
            {
                return;
            }

            Swap(parent, node.Index);
        }
    }

    private void Sink(Node node)
    {
        while (true)
        {
            int child = (node.Index * 2) + 1;
            if (child >= _count)
            {
                return;
            }

            if (child + 1 < _count && _nodes[child + 1].Key < _nodes[child].Key)
            {
                child++;
            }

            if (node.Key <= _nodes[child].Key)
            {
                return;
            }

            Swap(child, node.Index);
        }
    }

    private void Swap(int first, int second)
    {
        Node node = _nodes[first];
        Place(first, _nodes[second]);
        Place(second, node);
    }

    private void Place(int index, Node node)
    {
        _nodes[index] = node;
        node.Index = index;
    }

    /// <summary>What can be in the heap.</summary>
    internal abstract class Node
    {
        /// <summary><see cref="ulong.MaxValue"/> while not in the heap.</summary>
        public ulong Key { get; set; } = ulong.MaxValue;

        /// <summary>Place in the heap, -1 for none.</summary>
        public int Index { get; set; } = -1;
    }
}
