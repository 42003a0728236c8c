namespace Akvam.Devices;

/// <content>What the registers mean, whichever way they are reached.</content>
public sealed partial class Lapic
{
    private uint ReadRegister(int register) => register switch
    {
        LapicRegister.Id when IsX2Apic => InitialId,
        LapicRegister.Apr => (uint)ArbitrationPriority,
        LapicRegister.CurrentCount => _timer.CurrentCount,
        LapicRegister.Eoi or LapicRegister.SelfIpi => 0,
        _ => Get(register),
    };

    private void WriteRegister(int register, uint value)
    {
        switch (register)
        {
            case LapicRegister.Id:
                Set(register, value & 0xFF00_0000);
                break;
            case LapicRegister.Tpr:
                WriteTpr(value);
                break;
            case LapicRegister.Eoi:
                EndOfInterrupt();
                break;
            case LapicRegister.Ldr:
                Set(register, value & 0xFF00_0000);
                break;
            case LapicRegister.Dfr:
                Set(register, value | 0x0FFF_FFFF);
                break;
            case LapicRegister.Svr:
                WriteSvr(value);
                break;
            case LapicRegister.Esr:
                // The write moves what was gathered into view and re-arms the error interrupt [SDM3 10.5.3].
                Set(register, Interlocked.Exchange(ref _errors, 0));
                Volatile.Write(ref _errorSignalled, false);
                break;
            case LapicRegister.IcrLow:
                WriteIcrLow(value);
                break;
            case LapicRegister.IcrHigh:
                Set(register, value & 0xFF00_0000);
                break;
            case LapicRegister.InitialCount:
                if (_timer.StartCount(value))
                {
                    Set(register, value);
                }

                break;
            case LapicRegister.DivideConfiguration:
                Set(register, value & 0xB);
                _timer.SetDivide(value);
                break;
            case LapicRegister.SelfIpi:
                WriteSelfIpi((byte)value);
                break;
            default:
                if (IsLvt(register))
                {
                    WriteLvt(register, value);
                }

                break;
        }
    }

    private void WriteSvr(uint value)
    {
        Set(LapicRegister.Svr, value & SvrWritable);
        if ((value & SvrEnabled) == 0)
        {
            // Software disable masks every local source until software unmasks it again [SDM3 10.4.7.2].
            for (int i = 0; i < LvtCount; i++)
            {
                Interlocked.Or(ref _regs[LvtOffset(i) >> 4], LvtBits.Masked);
            }
        }
    }

    private uint SvrWritable => 0x3FF | (_options.DirectedEoi ? SvrSuppressBroadcast : 0);

    private void WriteLvt(int register, uint value)
    {
        uint next = value & LvtWritable(register);
        if (!IsSoftwareEnabled)
        {
            next |= LvtBits.Masked;
        }

        if (register == LapicRegister.LvtTimer)
        {
            _timer.Settle();
        }

        // Another thread may set the remote IRR bit meanwhile; an entry that is no longer level-triggered forgets it.
        uint old = Get(register);
        while (true)
        {
            uint remoteIrr = (next & LvtBits.Level) != 0 ? old & LvtBits.RemoteIrr : 0;
            uint seen = Interlocked.CompareExchange(ref _regs[register >> 4], next | remoteIrr, old);
            if (seen == old)
            {
                break;
            }

            old = seen;
        }

        switch (register)
        {
            case LapicRegister.LvtTimer:
                if (_timer.SetMode(next))
                {
                    Set(LapicRegister.InitialCount, 0);
                }

                break;
            case LapicRegister.LvtLint0:
                LintChanged(LapicLvt.Lint0, 1, next);
                if (AcceptsPicInterrupt)
                {
                    _host.ExtInt();
                }

                break;
            case LapicRegister.LvtLint1:
                LintChanged(LapicLvt.Lint1, 2, next);
                break;
        }
    }

    /// <summary>A level-triggered entry that opens while its pin is high delivers at once.</summary>
    private void LintChanged(LapicLvt lvt, int pinBit, uint entry)
    {
        if ((entry & (LvtBits.Level | LvtBits.Masked)) == LvtBits.Level && (Volatile.Read(ref _lintLevels) & pinBit) != 0)
        {
            DeliverLvt(lvt);
        }
    }

    private uint LvtWritable(int register)
    {
        uint writable = LvtBits.Writable(register);
        return register == LapicRegister.LvtTimer && !TscDeadlineAvailable
            ? writable & ~LvtBits.TimerTscDeadline
            : writable;
    }

    private bool IsLvt(int register) =>
        register is >= LapicRegister.LvtTimer and <= LapicRegister.LvtError || (register == LapicRegister.LvtCmci && _cmci);

    /// <summary>Registers both modes have and that can be read.</summary>
    private bool IsCommonReadable(int register) =>
        register is LapicRegister.Id or LapicRegister.Version or LapicRegister.Tpr or LapicRegister.Ppr or LapicRegister.Ldr
            or LapicRegister.Svr or (>= LapicRegister.Isr and <= LapicRegister.Esr) or LapicRegister.IcrLow
            or LapicRegister.InitialCount or LapicRegister.CurrentCount or LapicRegister.DivideConfiguration
        || IsLvt(register);
}
