using System.Numerics;

namespace Akvam.Devices;

/// <content>Accepting, prioritizing and finishing interrupts [SDM3 10.8].</content>
public sealed partial class Lapic
{
    /// <summary>Clear only if IRR is empty, so that the common question costs one read.</summary>
    private bool _irrMaybe;

    /// <summary>Written by the vCPU's thread, read by lowest-priority arbitration on others.</summary>
    private byte _ppr;

    /// <summary>An interrupt can be delivered now: the highest request is above the processor priority. Any thread, no lock.</summary>
    public bool HasInterrupt => Volatile.Read(ref _irrMaybe) && DeliverableVector() >= 0;

    /// <summary>CR8: the upper half of the task priority [SDM3 10.8.6.1].</summary>
    public byte Cr8
    {
        get => (byte)(Get(LapicRegister.Tpr) >> 4);
        set => WriteTpr((uint)(value & 0xF) << 4);
    }

    /// <summary>The task priority register.</summary>
    public byte TaskPriority
    {
        get => (byte)Get(LapicRegister.Tpr);
        set => WriteTpr(value);
    }

    /// <summary>The highest vector that is requested, or 0.</summary>
    public int HighestRequest => Math.Max(HighestBit(LapicRegister.Irr), 0);

    /// <summary>The highest vector in service, or 0.</summary>
    public int HighestInService => Math.Max(HighestBit(LapicRegister.Isr), 0);

    /// <summary>The vector <see cref="AcknowledgeInterrupt"/> would return, or -1; changes nothing.</summary>
    public int PendingVector => Volatile.Read(ref _irrMaybe) ? DeliverableVector() : -1;

    /// <summary>Moves the highest deliverable request into service. The vCPU's thread only.</summary>
    /// <returns>Its vector, or -1 if there is none.</returns>
    public int AcknowledgeInterrupt()
    {
        int vector = PendingVector;
        if (vector < 0)
        {
            return -1;
        }

        ClearBit(LapicRegister.Irr, vector);
        SetBit(LapicRegister.Isr, vector);
        UpdatePriority();
        if (HighestBit(LapicRegister.Irr) < 0)
        {
            // A request that arrives between the scan and the store has set its bit before the flag: look once more.
            Volatile.Write(ref _irrMaybe, false);
            Interlocked.MemoryBarrier();
            if (HighestBit(LapicRegister.Irr) >= 0)
            {
                Volatile.Write(ref _irrMaybe, true);
            }
        }

        return vector;
    }

    /// <summary>The guest's end of interrupt: a write to the EOI register.</summary>
    public void EndOfInterrupt()
    {
        int vector = HighestBit(LapicRegister.Isr);
        if (vector < 0)
        {
            return;
        }

        ClearBit(LapicRegister.Isr, vector);
        UpdatePriority();
        EndLocal((byte)vector);
        bool suppressed = _options.DirectedEoi && (Get(LapicRegister.Svr) & SvrSuppressBroadcast) != 0;
        _bus.Eoi(this, (byte)vector, TestBit(LapicRegister.Tmr, vector), suppressed);
        NotifyIfPending();
    }

    /// <summary>Interrupts may be waiting in IRR, whatever their priority.</summary>
    public bool HasRequests => Volatile.Read(ref _irrMaybe);

    /// <summary>An end of interrupt now would concern nobody but this APIC: one edge is in service, nothing waits, and no IOAPIC has its vector. The vCPU's thread only.</summary>
    public bool EndsUnnoticed
    {
        get
        {
            int vector = HighestBit(LapicRegister.Isr);
            return vector >= 0 && !HasRequests && !TestBit(LapicRegister.Tmr, vector) && IsOnlyBit(LapicRegister.Isr, vector) && !_bus.HasListener((byte)vector);
        }
    }

    /// <summary>Sets a request; true if it was not set already.</summary>
    private bool Request(byte vector, bool levelTriggered)
    {
        if (levelTriggered)
        {
            SetBit(LapicRegister.Tmr, vector);
        }
        else
        {
            ClearBit(LapicRegister.Tmr, vector);
        }

        bool fresh = SetBit(LapicRegister.Irr, vector);
        Volatile.Write(ref _irrMaybe, true);
        _host.InterruptPending();
        return fresh;
    }

    private void WriteTpr(uint value)
    {
        Set(LapicRegister.Tpr, value & 0xFF);
        UpdatePriority();
        NotifyIfPending();
    }

    private void NotifyIfPending()
    {
        if (HasInterrupt)
        {
            _host.InterruptPending();
        }
    }

    private int DeliverableVector()
    {
        int vector = HighestBit(LapicRegister.Irr);
        return vector >= 0 && (vector & 0xF0) > (Volatile.Read(ref _ppr) & 0xF0) && IsEnabled ? vector : -1;
    }

    /// <summary>Processor priority: the task priority or the class in service, whichever is higher [SDM3 10.8.3.1].</summary>
    private void UpdatePriority()
    {
        int inService = Math.Max(HighestBit(LapicRegister.Isr), 0);
        int task = (int)Get(LapicRegister.Tpr);
        byte ppr = (byte)((task & 0xF0) >= (inService & 0xF0) ? task : inService & 0xF0);
        Volatile.Write(ref _ppr, ppr);
        Set(LapicRegister.Ppr, ppr);
    }

    /// <summary>Arbitration priority [SDM3 10.6.2.4]; the receiver with the lowest gets a lowest-priority interrupt.</summary>
    internal int ArbitrationPriority
    {
        get
        {
            int task = (int)Get(LapicRegister.Tpr);
            int requested = Math.Max(HighestBit(LapicRegister.Irr), 0) & 0xF0;
            int inService = Math.Max(HighestBit(LapicRegister.Isr), 0) & 0xF0;
            return (task & 0xF0) >= requested && (task & 0xF0) > inService
                ? task & 0xFF
                : Math.Max(Math.Max(task & 0xF0, requested), inService);
        }
    }

    private int HighestBit(int register)
    {
        for (int word = 7; word >= 0; word--)
        {
            uint bits = Get(register + (word << 4));
            if (bits != 0)
            {
                return (word << 5) + BitOperations.Log2(bits);
            }
        }

        return -1;
    }

    private bool IsOnlyBit(int register, int vector)
    {
        int count = 0;
        for (int word = 0; word <= vector >> 5; word++)
        {
            count += BitOperations.PopCount(Get(register + (word << 4)));
        }

        return count == 1;
    }

    private bool TestBit(int register, int vector) => ((Get(register + ((vector >> 5) << 4)) >> (vector & 31)) & 1) != 0;

    /// <summary>True if the bit was clear.</summary>
    private bool SetBit(int register, int vector)
    {
        uint bit = 1u << (vector & 31);
        return (Interlocked.Or(ref _regs[(register >> 4) + (vector >> 5)], bit) & bit) == 0;
    }

    private void ClearBit(int register, int vector) =>
        Interlocked.And(ref _regs[(register >> 4) + (vector >> 5)], ~(1u << (vector & 31)));
}
