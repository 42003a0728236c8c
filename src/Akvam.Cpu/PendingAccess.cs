using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Akvam.Cpu.Msr;
using Akvam.Cpu.State;

namespace Akvam.Cpu;

/// <summary>
/// The accesses of one processor that only user space can serve. Writes are posted: the instruction completes and they are reported afterwards, in order.
/// A read aborts its instruction; once user space has supplied the data the instruction is executed again and its n-th read finds the n-th reply.
/// </summary>
/// <remarks>
/// User's side: while <see cref="Kind"/> is not None, act on <see cref="Address"/> and <see cref="Data"/> (fill it for reads) and call
/// <see cref="Complete"/>, before the processor runs again. Run loop's side: <see cref="MoveNext"/> before returning to the user, and
/// <see cref="Retire"/> when an instruction that was executed again (<see cref="IsReplay"/>) has ended in any way but another request.
/// Valid as long as the <see cref="CpuState"/> it is given.
/// </remarks>
public sealed unsafe partial class PendingAccess
{
    /// <summary>The largest transaction; wider accesses are split, as KVM does.</summary>
    public const int MaxSize = 8;

    /// <summary>Enough for any instruction (XSAVE and XRSTOR make 337 accesses).</summary>
    private const int InitialCapacity = 512;

    private Transaction[] _writes = new Transaction[InitialCapacity];
    private Transaction[] _replies = new Transaction[InitialCapacity];
    private int _firstWrite, _writeCount, _replyCount, _cursor;
    private Transaction _read;
    private Transaction _current;

    private struct Transaction
    {
        public ulong Address;
        public ulong Value;
        public ushort Count;
        public byte Size;
        public PendingKind Kind;
        public bool Failed;
    }

    /// <summary>The transaction that user space has to serve now.</summary>
    public PendingKind Kind => _current.Kind;

    /// <summary>Physical address, port or MSR index.</summary>
    public ulong Address => _current.Address;

    /// <summary>Bytes, 1 to 8.</summary>
    public int Size => _current.Size;

    /// <summary>Number of elements: more than 1 for INS and OUTS only.</summary>
    public int Count => _current.Count;

    /// <summary>
    /// The bytes of the current transaction, element after element, little endian: to be written, or to be filled in. Valid until <see cref="Complete"/>.
    /// </summary>
    public Span<byte> Data => _current.Count > 1 ? _string.AsSpan(0, _current.Count * _current.Size) : Bytes(ref _current.Value, _current.Size);

    /// <summary>A transaction of one element as a number.</summary>
    public ulong Value
    {
        get => _current.Value;
        set => _current.Value = value;
    }

    /// <summary>Why user space is asked about an MSR.</summary>
    public MsrRefusal MsrRefusal { get; private set; } = MsrRefusal.Unknown;

    /// <summary>Replies wait for the instruction that asked: execute it before anything else, events included.</summary>
    public bool IsReplay => _replyCount != 0;

    /// <summary>Something waits to be reported.</summary>
    public bool HasWork => _current.Kind != PendingKind.None || _writeCount != 0 || _read.Kind != PendingKind.None;

    /// <summary>Makes the next transaction current, writes before the read; false when there is none.</summary>
    public bool MoveNext()
    {
        if (_current.Kind != PendingKind.None)
        {
            return true;
        }

        if (_writeCount != 0)
        {
            _current = _writes[_firstWrite];
            _firstWrite = --_writeCount == 0 ? 0 : _firstWrite + 1;
            return true;
        }

        _current = _read;
        _read = default;
        return _current.Kind != PendingKind.None;
    }

    /// <summary>User space has served the current transaction. <paramref name="failed"/>: an MSR access that shall raise #GP.</summary>
    public void Complete(bool failed = false)
    {
        if (_current.Kind is PendingKind.PortRead or PendingKind.MmioRead or PendingKind.MsrRead or PendingKind.MsrWrite)
        {
            _current.Failed = failed;
            if (_replyCount == _replies.Length)
            {
                Array.Resize(ref _replies, _replyCount * 2);
            }

            _replies[_replyCount++] = _current;
            _cursor = 0;
        }

        _current = default;
    }

    /// <summary>The instruction that was executed again has ended: its replies are used up.</summary>
    public void Retire() => _replyCount = _cursor = 0;

    /// <summary>Drops a read, and replies to earlier ones, but no write: who asked for them begins again from the start.</summary>
    public void Abandon()
    {
        Retire();
        _read = default;
        if (_current.Kind is PendingKind.PortRead or PendingKind.MmioRead)
        {
            _current = default;
        }
    }

    /// <summary>Drops everything (reset, shutdown).</summary>
    public void Clear()
    {
        Retire();
        _firstWrite = _writeCount = 0;
        _read = default;
        _current = default;
    }

    /// <summary>
    /// Reads physical memory that is not RAM: from the bus, or from user space. False: the read waits for user space, and <see cref="CpuState.Abort"/> says so.
    /// </summary>
    internal bool ReadMmio(CpuState* s, ulong address, Span<byte> data)
    {
        if (_cursor >= _replyCount && data.Length <= MaxSize)
        {
            return Processor.Of(s).Bus.ReadMmio(address, data) || Request(s, PendingKind.MmioRead, address, data.Length);
        }

        while (!data.IsEmpty)
        {
            Span<byte> part = data[..Math.Min(data.Length, MaxSize)];
            if (!(_cursor < _replyCount && TryReplay(PendingKind.MmioRead, address, part, out _)) && !Processor.Of(s).Bus.ReadMmio(address, part))
            {
                return Request(s, PendingKind.MmioRead, address, part.Length);
            }

            address += (ulong)part.Length;
            data = data[part.Length..];
        }

        return true;
    }

    /// <summary>Writes to physical memory that is not RAM: to the bus, or posted for user space. True when something was posted: the block should end.</summary>
    internal bool WriteMmio(CpuState* s, ulong address, ReadOnlySpan<byte> data)
    {
        bool posted = false;
        while (!data.IsEmpty)
        {
            ReadOnlySpan<byte> part = data[..Math.Min(data.Length, MaxSize)];

            // Order: nothing may overtake a write that still waits for user space.
            if (!Processor.Of(s).Bus.WriteMmio(address, part))
            {
                Post(s, PendingKind.MmioWrite, address, part);
                posted = true;
            }

            address += (ulong)part.Length;
            data = data[part.Length..];
        }

        return posted;
    }

    /// <summary>Reads a port of 1, 2 or 4 bytes; false as for <see cref="ReadMmio"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool ReadPort(CpuState* s, ushort port, int size, out uint value)
    {
        return (_cursor < _replyCount && ReplayPort(port, size, out value))
            || Processor.Of(s).Bus.ReadPort(port, size, out value)
            || Request(s, PendingKind.PortRead, port, size);
    }

    /// <summary>The reply to the read of a port, whichever it was, if there is one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TakePortReply(int size, out uint value)
    {
        value = 0;
        return _cursor < _replyCount && _replies[_cursor].Kind == PendingKind.PortRead && ReplayPort((ushort)_replies[_cursor].Address, size, out value);
    }

    private bool ReplayPort(ushort port, int size, out uint value)
    {
        value = 0;
        return TryReplay(PendingKind.PortRead, port, MemoryMarshal.AsBytes(new Span<uint>(ref value))[..size], out _);
    }

    /// <summary>Writes a port; true when the write was posted for user space.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool WritePort(CpuState* s, ushort port, int size, uint value)
    {
        if (Processor.Of(s).Bus.WritePort(port, size, value))
        {
            return false;
        }

        Post(s, PendingKind.PortWrite, port, new ReadOnlySpan<byte>(&value, size));
        return true;
    }

    /// <summary>
    /// An MSR access that user space answers. Null: not answered yet, the instruction aborts; otherwise whether it succeeded (false: #GP).
    /// </summary>
    internal bool? AccessMsr(CpuState* s, PendingKind kind, uint index, MsrRefusal why, ref ulong value)
    {
        ulong reply = 0;
        if (TryReplay(kind, index, Bytes(ref reply, MaxSize), out bool failed))
        {
            value = reply;
            return !failed;
        }

        MsrRefusal = why;
        Request(s, kind, index, MaxSize);
        _read.Value = value;
        return null;
    }

    /// <summary>
    /// Takes the reply to this access. Replies to other accesses that come before it belong to iterations of a string instruction that are over.
    /// </summary>
    private bool TryReplay(PendingKind kind, ulong address, Span<byte> data, out bool failed)
    {
        failed = false;
        while (_cursor < _replyCount)
        {
            ref Transaction t = ref _replies[_cursor];
            if (t.Kind == kind && t.Address == address && t.Size == data.Length && t.Count == 1)
            {
                Bytes(ref t.Value, data.Length).CopyTo(data);
                failed = t.Failed;
                _cursor++;
                return true;
            }

            Array.Copy(_replies, _cursor + 1, _replies, _cursor, --_replyCount - _cursor);
        }

        return false;
    }

    private bool Request(CpuState* s, PendingKind kind, ulong address, int size)
    {
        _read = new Transaction { Kind = kind, Address = address, Size = (byte)size, Count = 1 };
        s->Abort = AbortReason.UserExit;
        return false;
    }

    private void Post(CpuState* s, PendingKind kind, ulong address, ReadOnlySpan<byte> data)
    {
        if (_firstWrite + _writeCount == _writes.Length)
        {
            Array.Resize(ref _writes, _writes.Length * 2);
        }

        ref Transaction t = ref _writes[_firstWrite + _writeCount++];
        t = new Transaction { Kind = kind, Address = address, Size = (byte)data.Length, Count = 1 };
        data.CopyTo(Bytes(ref t.Value, MaxSize));
        Processor.Post(s, State.Request.UserExit);
    }

    private static Span<byte> Bytes(ref ulong value, int size) => MemoryMarshal.AsBytes(new Span<ulong>(ref value))[..size];
}
