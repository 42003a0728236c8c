using System.Buffers.Binary;
using Akvam.Cpu.State;

namespace Akvam.Cpu;

/// <content>Several elements of one INS or OUTS. One such transaction exists at a time, because the instruction waits for it.</content>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
public sealed unsafe partial class PendingAccess
{
    /// <summary>Bytes of the longest transaction: what KVM reads ahead.</summary>
    public const int MaxString = 1024;

    private readonly byte[] _string = new byte[MaxString];

    /// <summary>
    /// Reads a port once for each element: from what user space supplied, from the bus, or else user space is asked for all of them. How many were read; 0:
    /// the read waits, and <see cref="CpuState.Abort"/> says so.
    /// </summary>
    internal int ReadPorts(CpuState* s, ushort port, int size, Span<byte> data)
    {
        int count = data.Length / size;
        if (_cursor < _replyCount && _replies[_cursor] is { Kind: PendingKind.PortRead, Count: > 1 } reply)
        {
            // Whatever becomes of it, the reply is used up.
            _cursor++;
            if (reply.Address == port && reply.Size == size)
            {
                count = Math.Min(count, reply.Count);
                _string.AsSpan(0, count * size).CopyTo(data);
                return count;
            }
        }

        int done = 0;
        while (done < count && ReadPort(s, port, size, out uint value))
        {
            Put(data.Slice(done++ * size, size), value);
            if (Volatile.Read(ref s->Requests) != 0)
            {
                return done;
            }
        }

        if (done == 0 && count > 1)
        {
            _read.Count = (ushort)count;
        }
        else if (done != 0)
        {
            // What was read comes first; the rest asks again.
            _read = default;
        }

        return done;
    }

    /// <summary>Writes elements to a port: to the bus, and from the first one that nobody inside takes to user space. How many were dealt with.</summary>
    internal int WritePorts(CpuState* s, ushort port, int size, ReadOnlySpan<byte> data)
    {
        IProcessorBus bus = Processor.Of(s).Bus;
        int count = data.Length / size, done = 0;
        for (; done < count; done++)
        {
            if (!bus.WritePort(port, size, Get(data.Slice(done * size, size))))
            {
                break;
            }

            if (Volatile.Read(ref s->Requests) != 0)
            {
                return done + 1;
            }
        }

        if (done == count)
        {
            return done;
        }

        int left = bus.WatchesPort(port) || _writeCount != 0 ? 1 : count - done;
        ReadOnlySpan<byte> rest = data.Slice(done * size, left * size);
        Post(s, PendingKind.PortWrite, port, rest[..size]);
        if (left > 1)
        {
            rest.CopyTo(_string);
            _writes[_firstWrite].Count = (ushort)left;
        }

        return done + left;
    }

    private static uint Get(ReadOnlySpan<byte> element) => element.Length switch
    {
        1 => element[0],
        2 => BinaryPrimitives.ReadUInt16LittleEndian(element),
        _ => BinaryPrimitives.ReadUInt32LittleEndian(element),
    };

    private static void Put(Span<byte> element, uint value)
    {
        switch (element.Length)
        {
            case 1:
                element[0] = (byte)value;
                break;
            case 2:
                BinaryPrimitives.WriteUInt16LittleEndian(element, (ushort)value);
                break;
            default:
                BinaryPrimitives.WriteUInt32LittleEndian(element, value);
                break;
        }
    }
}
