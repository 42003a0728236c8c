namespace Akvam.Devices;

/// <content>What arrives from outside: messages, local sources and the LINT pins.</content>
public sealed partial class Lapic
{
    private uint _errors;
    private bool _errorSignalled;
    private int _lintLevels;
    private bool _extIntMessage;

    /// <summary>Lowest-priority interrupts this APIC has won, to take turns among equals.</summary>
    internal int ArbitrationWins { get; set; }

    /// <summary>The 8259's INTR reaches the processor through this APIC: it is disabled, or LINT0 is an unmasked ExtINT.</summary>
    public bool AcceptsPicInterrupt
    {
        get
        {
            uint lint0 = Get(LapicRegister.LvtLint0);
            return !IsEnabled || ((lint0 & LvtBits.Masked) == 0 && LvtBits.ModeOf(lint0) == DeliveryMode.ExtInt);
        }
    }

    /// <summary>An ExtINT message waits for an interrupt acknowledge cycle at the 8259.</summary>
    internal bool HasExtIntMessage => Volatile.Read(ref _extIntMessage);

    internal void TakeExtIntMessage() => Volatile.Write(ref _extIntMessage, false);

    /// <summary>Raises a local source through its LVT entry. Any thread.</summary>
    /// <returns>True if the entry let it pass and it was not pending already.</returns>
    public bool DeliverLvt(LapicLvt lvt)
    {
        int register = (int)lvt;
        uint entry = Get(register);
        if (!IsEnabled || (entry & LvtBits.Masked) != 0)
        {
            return false;
        }

        if (lvt == LapicLvt.Pmc)
        {
            // The processor masks the entry when it delivers, so one overflow makes one interrupt [SDM3 10.5.1].
            Interlocked.Or(ref _regs[register >> 4], LvtBits.Masked);
        }

        bool lint = lvt is LapicLvt.Lint0 or LapicLvt.Lint1;
        DeliveryMode mode = lvt is LapicLvt.Timer or LapicLvt.Error ? DeliveryMode.Fixed : LvtBits.ModeOf(entry);

        // Trigger mode means something only for Fixed; NMI, SMI and INIT are edges, ExtINT a level [SDM3 10.5.1].
        bool level = lint && mode == DeliveryMode.Fixed && (entry & LvtBits.Level) != 0;
        if (level)
        {
            if ((Interlocked.Or(ref _regs[register >> 4], LvtBits.RemoteIrr) & LvtBits.RemoteIrr) != 0)
            {
                return false;
            }
        }

        return Accept(mode, (byte)entry, assert: true, level);
    }

    /// <summary>The timer's edge on LINT0, when software has made that an NMI.</summary>
    internal void DeliverTimerNmi()
    {
        if (LvtBits.ModeOf(Get(LapicRegister.LvtLint0)) == DeliveryMode.Nmi)
        {
            DeliverLvt(LapicLvt.Lint0);
        }
    }

    /// <summary>Drives a LINT pin. An edge-triggered entry acts on the rise, a level-triggered one as long as the pin is high.</summary>
    /// <param name="pin">0 or 1.</param>
    /// <param name="asserted">The new level.</param>
    public void SetLint(int pin, bool asserted)
    {
        int bit = 1 << pin;
        int old = asserted ? Interlocked.Or(ref _lintLevels, bit) : Interlocked.And(ref _lintLevels, ~bit);
        if (asserted && (old & bit) == 0)
        {
            DeliverLvt(pin == 0 ? LapicLvt.Lint0 : LapicLvt.Lint1);
        }
    }

    /// <summary>Takes one message that is addressed to this APIC. Any thread.</summary>
    /// <returns>True if it had an effect; false if it was refused or coalesced with one already pending.</returns>
    internal bool Accept(DeliveryMode mode, byte vector, bool assert, bool levelTriggered)
    {
        switch (mode)
        {
            case DeliveryMode.Fixed:
            case DeliveryMode.LowestPriority:
                return (assert || !levelTriggered) && AcceptVector(vector, levelTriggered);
            case DeliveryMode.Smi:
                _host.Smi();
                return true;
            case DeliveryMode.Nmi:
                _host.Nmi();
                return true;
            case DeliveryMode.Init:
                // A level de-assert only resynchronized arbitration ids, on processors long gone [SDM3 10.6.1].
                if (assert || !levelTriggered)
                {
                    _host.Init();
                    return true;
                }

                return false;
            case DeliveryMode.Sipi:
                _host.Sipi(vector);
                return true;
            case DeliveryMode.ExtInt:
                Volatile.Write(ref _extIntMessage, true);
                _host.ExtInt();
                return true;
            default:
                return false;
        }
    }

    private bool AcceptVector(byte vector, bool levelTriggered)
    {
        // A software-disabled APIC still takes NMI, SMI, INIT and SIPI, but no vectors [SDM3 10.4.7.2].
        if (!IsSoftwareEnabled)
        {
            return false;
        }

        if (vector < 16)
        {
            ReportError(LapicErrors.ReceiveIllegalVector);
            return false;
        }

        return Request(vector, levelTriggered);
    }

    /// <summary>A level-triggered LINT entry finishes with its vector and starts again if the pin is still high.</summary>
    private void EndLocal(byte vector)
    {
        EndLint(LapicLvt.Lint0, 1, vector);
        EndLint(LapicLvt.Lint1, 2, vector);
    }

    private void EndLint(LapicLvt lvt, int pinBit, byte vector)
    {
        int register = (int)lvt;
        uint entry = Get(register);
        if ((entry & LvtBits.RemoteIrr) == 0 || (byte)entry != vector)
        {
            return;
        }

        Interlocked.And(ref _regs[register >> 4], ~LvtBits.RemoteIrr);
        if ((Volatile.Read(ref _lintLevels) & pinBit) != 0)
        {
            DeliverLvt(lvt);
        }
    }

    /// <summary>Notes an error; the first since the last ESR write also raises the error interrupt [SDM3 10.5.3].</summary>
    private void ReportError(LapicErrors error)
    {
        Interlocked.Or(ref _errors, (uint)error);
        if (!Interlocked.Exchange(ref _errorSignalled, true))
        {
            uint entry = Get(LapicRegister.LvtError);
            if (IsEnabled && IsSoftwareEnabled && (entry & LvtBits.Masked) == 0 && (byte)entry >= 16)
            {
                Request((byte)entry, levelTriggered: false);
            }
        }
    }
}
