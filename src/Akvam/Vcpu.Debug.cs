using Akvam.Abi;
using Akvam.Cpu;
using Akvam.Cpu.Events;
using Akvam.Cpu.State;

namespace Akvam;

/// <content>Debug registers, and debugging by the client. [KVM 4.33] [KVM 4.87]</content>
public sealed unsafe partial class Vcpu
{
    private const uint DebugException = 1u << (int)Cpu.State.Vector.DB;
    private const uint BreakpointException = 1u << (int)Cpu.State.Vector.BP;
    private const uint KnownDebugControl = KvmState.KVM_GUESTDBG_ENABLE | KvmState.KVM_GUESTDBG_SINGLESTEP | KvmState.KVM_GUESTDBG_USE_SW_BP | KvmState.KVM_GUESTDBG_USE_HW_BP
        | KvmState.KVM_GUESTDBG_INJECT_DB | KvmState.KVM_GUESTDBG_INJECT_BP | KvmState.KVM_GUESTDBG_BLOCKIRQ;

    private kvm_guest_debug _debug;
    private DebugRegisters? _debugRegisters;

    private bool SingleSteps => (_debug.control & (KvmState.KVM_GUESTDBG_ENABLE | KvmState.KVM_GUESTDBG_SINGLESTEP)) == (KvmState.KVM_GUESTDBG_ENABLE | KvmState.KVM_GUESTDBG_SINGLESTEP);

    private bool UsesHardwareBreakpoints =>
        (_debug.control & (KvmState.KVM_GUESTDBG_ENABLE | KvmState.KVM_GUESTDBG_USE_HW_BP)) == (KvmState.KVM_GUESTDBG_ENABLE | KvmState.KVM_GUESTDBG_USE_HW_BP);

    public kvm_debugregs GetDebugregs()
    {
        lock (_gate)
        {
            CpuState* s = State();
            var regs = new kvm_debugregs { dr6 = s->Dr6, dr7 = s->Dr7 };
            for (int i = 0; i < 4; i++)
            {
                regs.db[i] = s->Dr[i];
            }

            return regs;
        }
    }

    /// <exception cref="KvmException">EINVAL: flags, or bits above 31 of DR6 or DR7.</exception>
    public void SetDebugregs(in kvm_debugregs regs)
    {
        lock (_gate)
        {
            CpuState* s = State();
            if (regs.flags != 0 || regs.dr6 >> 32 != 0 || regs.dr7 >> 32 != 0)
            {
                throw new KvmException(Errno.EINVAL, "flags, DR6 or DR7 of kvm_debugregs");
            }

            for (int i = 0; i < 4; i++)
            {
                ControlRegisters.SetDr(s, i, regs.db[i]);
            }

            ControlRegisters.TrySetDr6(s, regs.dr6);
            ControlRegisters.TrySetDr7(s, regs.dr7);
        }
    }

    /// <summary>KVM_SET_GUEST_DEBUG: single steps, INT3 and debug exceptions become KVM_EXIT_DEBUG; the client's own hardware breakpoints replace the guest's.</summary>
    /// <exception cref="KvmException">EINVAL: unknown control bits; EBUSY: an exception is to be injected while one waits.</exception>
    public void SetGuestDebug(in kvm_guest_debug debug)
    {
        lock (_gate)
        {
            State();
            if ((debug.control & ~KnownDebugControl) != 0)
            {
                throw new KvmException(Errno.EINVAL, $"control {debug.control:x} of kvm_guest_debug");
            }

            if ((debug.control & (KvmState.KVM_GUESTDBG_INJECT_DB | KvmState.KVM_GUESTDBG_INJECT_BP)) != 0)
            {
                if (_processor.InjectedException is not null)
                {
                    throw new KvmException(Errno.EBUSY, "an exception waits already");
                }

                bool isDebug = (debug.control & KvmState.KVM_GUESTDBG_INJECT_DB) != 0;
                _processor.InjectedException = new FaultRecord
                {
                    Vector = isDebug ? Cpu.State.Vector.DB : Cpu.State.Vector.BP,
                    Payload = isDebug ? ControlRegisters.Dr6AsPayload(_processor.State) : 0,
                };
            }

            _debug = debug;
            bool enabled = (debug.control & KvmState.KVM_GUESTDBG_ENABLE) != 0;
            _processor.SingleStep = SingleSteps;
            _processor.InterceptedExceptions = !enabled ? 0
                : (UsesHardwareBreakpoints ? DebugException : 0) | ((debug.control & KvmState.KVM_GUESTDBG_USE_SW_BP) != 0 ? BreakpointException : 0);
            bool blocks = enabled && (debug.control & KvmState.KVM_GUESTDBG_BLOCKIRQ) != 0;
            _bus.BlocksInterrupts = blocks;
            _processor.BlocksEvents = blocks;
        }
    }

    /// <summary>Runs the processor, with the client's breakpoints in the debug registers if it has any.</summary>
    private RunResult RunProcessor(CpuState* s, ulong limit)
    {
        if (!UsesHardwareBreakpoints)
        {
            return _processor.Run(limit);
        }

        DebugRegisters guest = _debugRegisters ??= new DebugRegisters();
        guest.Set(_debug.arch.debugreg, _debug.arch.debugreg[7]);
        guest.Exchange(s);
        _processor.GuestDebugRegisters = guest;
        try
        {
            return _processor.Run(limit);
        }
        finally
        {
            _processor.GuestDebugRegisters = null;
            guest.Exchange(s);
        }
    }

    private uint ReportDebug(CpuState* s, kvm_run* run)
    {
        bool stepped = s->Abort != AbortReason.Fault || (s->Fault.Vector != Cpu.State.Vector.DB && s->Fault.Vector != Cpu.State.Vector.BP);
        ulong bits = stepped ? 1ul << 14 : s->Fault.Vector == Cpu.State.Vector.DB ? s->Fault.Payload : 0;
        run->debug.arch = new kvm_debug_exit_arch
        {
            exception = (uint)(stepped ? Cpu.State.Vector.DB : s->Fault.Vector),
            pc = s->Cs.Base + s->Rip,
            dr6 = bits | 0xFFFF_0FF0,
            dr7 = UsesHardwareBreakpoints ? _debug.arch.debugreg[7] : s->Dr7,
        };
        s->Fault = default;
        return KvmExit.KVM_EXIT_DEBUG;
    }
}
