using System.Buffers.Binary;
using Akvam.Abi;
using Akvam.Machine.Devices;

namespace Akvam.Machine;

/// <summary>A processor's thread: runs it and serves its exits until the machine ends.</summary>
internal sealed class VcpuRunner
{
    private const int HistoryLength = 8;

    private readonly Vcpu _vcpu;
    private readonly DeviceGate _gate;
    private readonly BoardControl _control;
    private readonly EventTrace? _trace;
    private readonly Thread _thread;
    private readonly ExitRecord[] _history = new ExitRecord[HistoryLength];

    private long _exits;
    private bool _inSmm;
    private Action<string>? _reportTo;

    public VcpuRunner(Vcpu vcpu, DeviceGate gate, BoardControl control, EventTrace? trace)
    {
        _vcpu = vcpu;
        _gate = gate;
        _control = control;
        _trace = trace;
        if (trace is not null)
        {
            vcpu.Trace = (name, fields) => trace.Write(vcpu.Id, name, fields);
        }

        _thread = new Thread(Run) { IsBackground = true, Name = $"vCPU {vcpu.Id}" };
    }

    public Vcpu Vcpu => _vcpu;

    public void Start() => _thread.Start();

    /// <summary>Makes the thread look at what it was asked for.</summary>
    public void Kick() => _vcpu.Kick();

    /// <summary>Waits for the end of the thread; false when it takes longer.</summary>
    public bool Join(TimeSpan patience) => _thread.ThreadState.HasFlag(ThreadState.Unstarted) || _thread.Join(patience);

    /// <summary>Asks for a report, which the processor's thread gives at its next chance.</summary>
    public void RequestReport(Action<string> takeReport)
    {
        Volatile.Write(ref _reportTo, takeReport);
        Kick();
    }

    private void Run()
    {
        try
        {
            while (_control.End is null)
            {
                _trace?.Write(_vcpu.Id, "kvm_entry", $"vcpu {_vcpu.Id}, rip 0x{_vcpu.GetRegs().rip:x}");
                VcpuExit exit = _vcpu.Run();
                _trace?.Write(_vcpu.Id, "kvm_exit", $"vcpu {_vcpu.Id} reason {ExitRecord.Name(exit.Reason)} rip 0x{_vcpu.GetRegs().rip:x}");
                _trace?.Write(_vcpu.Id, "kvm_userspace_exit", $"reason {ExitRecord.Name(exit.Reason)} ({exit.Reason})");
                Take(exit);
                if (Volatile.Read(ref _reportTo) is not null && Interlocked.Exchange(ref _reportTo, null) is { } report)
                {
                    report(Describe());
                }
            }
        }
        catch (ObjectDisposedException) when (_control.End is not null)
        {
            // The machine was taken down while this processor was on its way out.
        }
        catch (Exception e)
        {
            // Nothing a guest does may end in a stack trace of ours; this is a fault of Akvam, and said to be one.
            _control.Finish(new MachineEnd(MachineEndKind.InternalError, 0, $"vCPU {_vcpu.Id}: {e.GetType().Name}: {e.Message}{Where(e)}"));
        }
    }

    /// <summary>Serves an exit, on the thread that ran the processor.</summary>
    public void Take(VcpuExit exit)
    {
        bool wasInSmm = _inSmm;
        _inSmm = exit.InSmm;
        Serve(exit, wasInSmm);
    }

    private static string Where(Exception e)
    {
        string? first = e.StackTrace?.Split('\n')[0].Trim();
        return first is null ? "" : $" ({first})";
    }

    private void Serve(VcpuExit exit, bool wasInSmm)
    {
        switch (exit.Reason)
        {
            case KvmExit.KVM_EXIT_IO:
                ServePort(exit.Io);
                break;
            case KvmExit.KVM_EXIT_MMIO:
                ServeMmio(exit.Mmio);
                break;
            case KvmExit.KVM_EXIT_INTR or KvmExit.KVM_EXIT_HLT:
                break;
            case KvmExit.KVM_EXIT_SHUTDOWN:
                Record(new ExitRecord(exit.Reason, 0, 0, false, 0));
                // A failed RSM leaves SMM before it shuts down; without an exit inside the handler it looks like a triple fault.
                string why = wasInSmm && !_inSmm ? "an RSM that failed" : "a triple fault";
                _control.Finish(new MachineEnd(MachineEndKind.Shutdown, 0, $"vCPU {_vcpu.Id} shut down after {why}{Environment.NewLine}{Describe()}"));
                break;
            default:
                Record(new ExitRecord(exit.Reason, 0, 0, false, 0));
                string reason = exit.Reason == KvmExit.KVM_EXIT_INTERNAL_ERROR ? $"internal error {exit.InternalError.suberror}" : $"exit reason {exit.Reason}";
                _control.Finish(new MachineEnd(MachineEndKind.InternalError, 0, $"vCPU {_vcpu.Id} cannot go on: {reason}{Environment.NewLine}{Describe()}"));
                break;
        }
    }

    private void ServePort(IoExit io)
    {
        ushort port = io.Port;
        int size = io.Size, count = io.Count;
        Span<byte> data = io.Data;
        uint value = 0;
        using (_gate.Lock.Enter())
        {
            _gate.Serving = _vcpu;
            for (int i = 0; i < count && (i + 1) * size <= data.Length; i++)
            {
                Span<byte> item = data.Slice(i * size, size);
                if (io.IsWrite)
                {
                    value = Get(item);
                    _gate.Ports.Write(port, size, value);
                }
                else
                {
                    value = _gate.Ports.Read(port, size);
                    Put(item, value);
                }
            }
        }

        Record(new ExitRecord(KvmExit.KVM_EXIT_IO, port, size, io.IsWrite, value));
    }

    /// <summary>No device of this board has memory of its own: reads float, writes are lost.</summary>
    private void ServeMmio(MmioExit mmio)
    {
        Span<byte> data = mmio.Data;
        Span<byte> wide = stackalloc byte[8];
        wide.Clear();
        if (!mmio.IsWrite)
        {
            data.Fill(0xFF);
        }

        data.CopyTo(wide);
        Record(new ExitRecord(KvmExit.KVM_EXIT_MMIO, mmio.Address, data.Length, mmio.IsWrite, BinaryPrimitives.ReadUInt64LittleEndian(wide)));
    }

    private static uint Get(ReadOnlySpan<byte> item) => item.Length switch
    {
        1 => item[0],
        2 => BinaryPrimitives.ReadUInt16LittleEndian(item),
        _ => BinaryPrimitives.ReadUInt32LittleEndian(item),
    };

    private static void Put(Span<byte> item, uint value)
    {
        switch (item.Length)
        {
            case 1:
                item[0] = (byte)value;
                break;
            case 2:
                BinaryPrimitives.WriteUInt16LittleEndian(item, (ushort)value);
                break;
            default:
                BinaryPrimitives.WriteUInt32LittleEndian(item, value);
                break;
        }
    }

    private void Record(ExitRecord record)
    {
        _history[(int)(_exits++ % HistoryLength)] = record;
        if (_trace is not null)
        {
            TraceExit(record);
        }
    }

    private void TraceExit(ExitRecord record)
    {
        switch (record.Reason)
        {
            case KvmExit.KVM_EXIT_IO:
                string direction = record.IsWrite ? "pio_write" : "pio_read";
                _trace!.Write(_vcpu.Id, "kvm_pio", $"{direction} at 0x{record.Address:x} size {record.Size} count 1 val 0x{record.Value:x}");
                break;
            case KvmExit.KVM_EXIT_MMIO:
                string access = record.IsWrite ? "write" : "read";
                _trace!.Write(_vcpu.Id, "kvm_mmio", $"mmio {access} len {record.Size} gpa 0x{record.Address:x} val 0x{record.Value:x}");
                break;
            default:
                break;
        }
    }

    private string Describe() => ProcessorReport.Describe(_vcpu, _inSmm, History());

    private IEnumerable<ExitRecord> History()
    {
        long first = Math.Max(0, _exits - HistoryLength);
        for (long i = first; i < _exits; i++)
        {
            yield return _history[(int)(i % HistoryLength)];
        }
    }
}
