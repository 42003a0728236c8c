using Akvam.Cpu.Events;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.State;
using Akvam.Cpu.Svm;
using Iced.Intel;

namespace Akvam.Cpu;

/// <remarks>Valid as long as the processor is not disposed; one thread at a time runs it.</remarks>
public sealed unsafe partial class Processor
{
    private const uint SingleStepBit = 1 << 14;

    private ulong _deliveries;

    /// <summary>Exceptions that come back as <see cref="RunResult.Debug"/> instead of being delivered, one bit a vector.</summary>
    public uint InterceptedExceptions { get; set; }

    /// <summary>Come back after every instruction.</summary>
    public bool SingleStep { get; set; }

    /// <summary>
    /// Executes guest code until something needs the caller, or <paramref name="limit"/> more instructions are retired. A guest that only faults retires
    /// nothing: the same number of delivered exceptions ends the run too.
    /// </summary>
    public RunResult Run(ulong limit = ulong.MaxValue)
    {
        CpuState* s = State;
        _deliveries = limit;
        s->StopAt = limit > ulong.MaxValue - s->Retired ? ulong.MaxValue : s->Retired + limit;

        // User space may have changed memory behind our back: cached blocks are compared with it before they run again.
        s->Epoch++;
        PrepareEngine();
        Group.Enter(this);
        try
        {
            return Loop(s);
        }
        finally
        {
            Group.Leave(this);
        }
    }

    private RunResult Loop(CpuState* s)
    {
        if (Pending.MoveNext())
        {
            return RunResult.UserExit;
        }

        if (Pending.IsReplay && Replay(s) is { } again)
        {
            return again;
        }

        while (true)
        {
            var requests = (Request)Interlocked.Exchange(ref s->Requests, 0);
            if (requests != 0 && Serve(s, requests) is { } result)
            {
                return result;
            }

            if ((requests & Request.Kick) != 0)
            {
                // Events stay where they are: a client that only lets an access finish finds them as it left them.
                return RunResult.Kicked;
            }

            if (s->TripleFault == 0)
            {
                // A shutdown is reported first: what was latched, an SMI or INIT above all, acts on the processor that runs again after it.
                DeliverInjected(s);
                if (EventInjector.Inject(this, s))
                {
                    return RunResult.Debug;
                }
            }

            if (s->Delivering.Kind != EventKind.None)
            {
                // The event has to reach its handler before anything executes; if it never does (#AC for ever), a limited run still ends.
                if (Pending.MoveNext())
                {
                    return RunResult.UserExit;
                }

                if (s->StopAt != ulong.MaxValue)
                {
                    return RunResult.Limit;
                }

                continue;
            }

            if (IsDead)
            {
                return RunResult.NoSmram;
            }

            if (s->TripleFault != 0)
            {
                if (EventIntercepts.InterceptShutdown(s))
                {
                    continue;
                }

                s->TripleFault = 0;
                return RunResult.Shutdown;
            }

            if (s->Activity != Activity.Runnable)
            {
                return s->Activity == Activity.Halted ? RunResult.Halted : RunResult.Waiting;
            }

            if (s->Retired >= s->StopAt || _deliveries == 0)
            {
                return RunResult.Limit;
            }

            Flow flow = IsCareful(s) ? StepCarefully(s) : _translator != null ? _translator.Run(s) : Interpreter.Engine.Run(s, Blocks);
            if (flow == Flow.Abort)
            {
                if (Aborted(s) is { } abort)
                {
                    return abort;
                }
            }
            else if (SingleStep)
            {
                return RunResult.Debug;
            }
        }
    }

    /// <summary>User space answered a read: the instruction that asked goes first, before any event.</summary>
    private RunResult? Replay(CpuState* s)
    {
        if (s->Delivering.Kind != EventKind.None)
        {
            // It was not an instruction that asked, but the delivery of an event.
            Delivery.Resume(s);
            if (s->Delivering.Kind != EventKind.None && s->Abort == AbortReason.UserExit)
            {
                return Pending.MoveNext() ? RunResult.UserExit : RunResult.Kicked;
            }

            Pending.Retire();
            return null;
        }

        Flow flow = StepCarefully(s);
        if (flow == Flow.Abort && s->Abort == AbortReason.UserExit)
        {
            return Pending.MoveNext() ? RunResult.UserExit : RunResult.Kicked;
        }

        Pending.Retire();
        return flow == Flow.Abort ? Aborted(s) : SingleStep ? RunResult.Debug : null;
    }

    /// <summary>One instruction at a time: traps and shadows end after exactly one, and the last few before the limit are counted.</summary>
    private bool IsCareful(CpuState* s) =>
        s->Shadow != 0 || (s->SystemFlags & (Rflags.TF | Rflags.RF)) != 0 || s->CodeBreakpoints != 0 || s->DataBreakpoints != 0 || SingleStep
        || s->StopAt - s->Retired < BlockCache.MaxInstructions;

    private RunResult? Serve(CpuState* s, Request requests)
    {
        if ((requests & Request.Park) != 0)
        {
            Group.Leave(this);
            Group.Enter(this);
        }

        if ((requests & Request.FlushTlb) != 0)
        {
            Memory.TlbControl.FlushAll(s);
        }

        if ((requests & Request.UserExit) != 0 && Pending.MoveNext())
        {
            Post(s, requests & ~(Request.UserExit | Request.Park | Request.FlushTlb));
            return RunResult.UserExit;
        }

        return null;
    }

    private RunResult? Aborted(CpuState* s)
    {
        switch (s->Abort)
        {
            case AbortReason.Fault:
                if (((InterceptedExceptions >> (int)s->Fault.Vector) & 1) != 0)
                {
                    return RunResult.Debug;
                }

                if (s->Fault.BeyondAddresses && (Quirks & ProcessorQuirks.SmallerAddresses) != 0 && !KernelEmulator.Knows(this))
                {
                    s->Fault = default;
                    return RunResult.NotEmulated;
                }

                Trace?.Write(this, "kvm_inj_exception", $"{s->Fault.Vector} (0x{s->Fault.ErrorCode:x})");
                Delivery.Fault(s);
                _deliveries--;
                return null;
            case AbortReason.UserExit:
                return Pending.MoveNext() ? RunResult.UserExit : null;
            case AbortReason.NoCode:
                return RunResult.NoCode;
            default:
                return null;
        }
    }

    /// <summary>
    /// Delivers a fault that an instruction of host code raised, without a way through the run loop; false: that has to see it. Events come between two
    /// instructions of the handler as anywhere else.
    /// </summary>
    internal bool TryDeliverFault(CpuState* s)
    {
        if (s->Abort != AbortReason.Fault || s->Fault.BeyondAddresses || ((InterceptedExceptions >> (int)s->Fault.Vector) & 1) != 0 || s->StopAt != ulong.MaxValue || Trace != null)
        {
            return false;
        }

        Delivery.Fault(s);
        if (s->Delivering.Kind != EventKind.None || s->TripleFault != 0)
        {
            // Delivered as far as it can be: nothing is left to do about the instruction.
            s->Abort = AbortReason.Interrupted;
            return false;
        }

        return true;
    }

    private Flow StepCarefully(CpuState* s)
    {
        // Behind MOV SS Intel processors hold back instruction breakpoints; AMD processors traps only. [SDM3 6.8.3] [APM2 8.5]
        bool hidden = (s->Shadow & InterruptShadow.MovSs) != 0 && !Cpuid.IsAmd;
        if (s->CodeBreakpoints != 0 && (s->SystemFlags & Rflags.RF) == 0 && !hidden)
        {
            uint hit = Breakpoints.MatchCode(s, (s->Mode & ModeKey.Code64) != 0 ? s->Rip : (uint)(s->Rip + s->CodeBase));
            if (hit != 0)
            {
                // An instruction breakpoint is a fault: it comes before the instruction. [SDM3 18.3.1.1]
                s->Fault = new FaultRecord { Vector = Akvam.Cpu.State.Vector.DB, Payload = hit };
                s->Abort = AbortReason.Fault;
                return Flow.Abort;
            }
        }

        bool trap = (s->SystemFlags & Rflags.TF) != 0;
        bool resume = (s->SystemFlags & Rflags.RF) != 0;
        InterruptShadow shadow = s->Shadow;
        uint traps = s->PendingDebug;
        s->Shadow = InterruptShadow.None;
        Flow flow = Interpreter.Engine.Step(s, Blocks, out Code code);
        if (flow == Flow.Abort)
        {
            if (s->Abort != AbortReason.Fault)
            {
                s->Shadow = shadow;
            }

            if (s->Abort != AbortReason.Interrupted)
            {
                // The access that touched a data breakpoint did not happen: traps follow completed instructions and iterations. [SDM3 18.3.1.2]
                s->PendingDebug = traps;
            }

            return flow;
        }

        if (code == Code.Ud2)
        {
            // A prefix (see ProcessorQuirks.EmulationPrefix) is no instruction: shadow and RF wait for the one behind it, and it is not trapped.
            s->Shadow = shadow;
            return flow;
        }

        bool isReturn = code is Code.Iretw or Code.Iretd or Code.Iretq or Code.Rsm;
        if (resume && !isReturn)
        {
            s->SystemFlags &= ~Rflags.RF;
        }

        // No single-step trap follows MOV SS, not even one that waits: the next one is that of the instruction behind it. [SDM3 6.8.3]
        if (trap && (s->StepsBranches == 0 || flow == Flow.Jump) && !ClearsTf(code) && (code != Code.Syscall || (s->SystemFlags & Rflags.TF) != 0) && (s->Shadow & InterruptShadow.MovSs) == 0)
        {
            s->PendingDebug |= SingleStepBit;
        }

        return flow;
    }

    /// <summary>
    /// These clear TF on their way into the handler, or, RSM, SYSRET and VMRUN, continue another program: the TF they begin with traps nothing. [SDM3 18.3.1.4]
    /// </summary>
    private static bool ClearsTf(Code code) => code is Code.Int_imm8 or Code.Int3 or Code.Into or Code.Int1 or Code.Rsm or Code.Sysretd or Code.Sysretq
        or Code.Vmrunw or Code.Vmrund or Code.Vmrunq;
}
