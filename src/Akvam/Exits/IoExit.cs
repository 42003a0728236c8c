using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Akvam.Abi;

namespace Akvam;

/// <summary>A port access that the client serves. [KVM 5 KVM_EXIT_IO]</summary>
public readonly ref struct IoExit
{
    private readonly ref kvm_run _run;

    internal IoExit(ref kvm_run run)
    {
        _run = ref run;
    }

    public ushort Port => _run.io.port;

    /// <summary>OUT; otherwise the client fills <see cref="Data"/> before it runs the vCPU again.</summary>
    public bool IsWrite => _run.io.direction == KvmExit.KVM_EXIT_IO_OUT;

    /// <summary>Bytes of one item: 1, 2 or 4.</summary>
    public int Size => _run.io.size;

    /// <summary>Items; more than one for a string instruction.</summary>
    public int Count => (int)_run.io.count;

    /// <summary><see cref="Size"/> times <see cref="Count"/> bytes.</summary>
    public Span<byte> Data => MemoryMarshal.CreateSpan(
        ref Unsafe.AddByteOffset(ref Unsafe.As<kvm_run, byte>(ref _run), (nint)RunPage.PioDataOffset), Math.Min(Size * Count, RunPage.PioDataSize));

    /// <summary>The first item as a number.</summary>
    public uint Value
    {
        get
        {
            ref byte data = ref MemoryMarshal.GetReference(Data);
            return Size switch
            {
                1 => data,
                2 => Unsafe.ReadUnaligned<ushort>(ref data),
                _ => Unsafe.ReadUnaligned<uint>(ref data),
            };
        }
    }

    /// <summary>Answers a read of one item.</summary>
    public void Reply(uint value)
    {
        ref byte data = ref MemoryMarshal.GetReference(Data);
        switch (Size)
        {
            case 1:
                data = (byte)value;
                break;
            case 2:
                Unsafe.WriteUnaligned(ref data, (ushort)value);
                break;
            default:
                Unsafe.WriteUnaligned(ref data, value);
                break;
        }
    }
}
