using Akvam.Abi;
using Akvam.Cpu;
using Akvam.Cpu.State;

namespace Akvam;

/// <content>KVM_RUN. [KVM 4.10] [KVM 5]</content>
public sealed unsafe partial class Vcpu
{
    /// <summary>Pinned, because signal handlers write it too.</summary>
    private readonly int[] _kicked = GC.AllocateArray<int>(1, pinned: true);
    private bool _closing;

    /// <summary>KVM_RUN was called: CPUID is fixed.</summary>
    private bool _hasRun;

    /// <summary>An exit that the processor itself knows nothing of: the interrupt window, a lowered CR8; KVM_EXIT_UNKNOWN: none.</summary>
    private uint _ownExit;
    private byte _eoiVector;
    private bool _writesPriority;

    /// <summary>
    /// Executes guest code on this thread until something needs the client. First what the last exit left open is finished: the data of a port or MMIO read
    /// are taken from the run page. With <see cref="kvm_run.immediate_exit"/> set nothing more is executed.
    /// </summary>
    /// <param name="maxInstructions">After so many instructions KVM_EXIT_INTR ends the run, if nothing else does before.</param>
    /// <returns>Why it returned. KVM_EXIT_INTR is what the ioctl reports as EINTR.</returns>
    /// <exception cref="KvmException">EINVAL: the run page asks for something impossible; EIO: the VM is dead.</exception>
    /// <exception cref="ObjectDisposedException">The vCPU is gone.</exception>
    public VcpuExit Run(ulong maxInstructions = ulong.MaxValue)
    {
        lock (_gate)
        {
            CpuState* s = State();
            ObjectDisposedException.ThrowIf(_closing, this);
            if (_processor.IsDead)
            {
                throw new KvmException(Errno.EIO, "an SMI found no memory at SMRAM");
            }

            kvm_run* run = _page.Run;
            if ((run->kvm_dirty_regs | run->kvm_valid_regs) != 0)
            {
                LoadShared(run);
            }

            _hasRun = true;
            Volatile.Write(ref _runningThread, Environment.CurrentManagedThreadId);
            TakeRunPage(run);
            FinishAccess(run);
            _bus.NoteStealTime();
            bool immediate = Volatile.Read(ref run->immediate_exit) != 0;
            uint reason = immediate ? LetAccessFinish(s, run) : RunUntilExit(s, run, maxInstructions);

            // As in the kernel: a client that only lets an access finish still finds the exit that it was.
            if (!immediate || reason != KvmExit.KVM_EXIT_INTR)
            {
                run->exit_reason = reason;
            }

            Volatile.Write(ref _runningThread, 0);
            CountExit(reason, s->Retired);
            FillRunPage(s, run);
            if (run->kvm_valid_regs != 0)
            {
                StoreShared(run);
            }

            return new VcpuExit(ref *run, reason);
        }
    }

    /// <summary>The bus saw the interrupt that the client waits for a chance to inject.</summary>
    internal void WindowOpened() => LeaveWith(KvmExit.KVM_EXIT_IRQ_WINDOW_OPEN);

    /// <summary>The guest lowered CR8, and the client's APIC may have an interrupt that now passes.</summary>
    internal void TaskPriorityLowered() => LeaveWith(KvmExit.KVM_EXIT_SET_TPR);

    /// <summary>With a split irqchip: the guest ended an interrupt that the client's IOAPIC waits for.</summary>
    internal void EndedInterrupt(byte vector)
    {
        _eoiVector = vector;
        LeaveWith(KvmExit.KVM_EXIT_IOAPIC_EOI);
    }

    /// <summary>The guest is about to access its task priority register, and the client wants to hear of that.</summary>
    internal void ReachedTaskPriority(bool write)
    {
        _writesPriority = write;
        LeaveWith(KvmExit.KVM_EXIT_TPR_ACCESS);
    }

    private void LeaveWith(uint reason)
    {
        _ownExit = reason;
        Processor.Post(_processor.State, Request.Kick);
    }

    private void TakeRunPage(kvm_run* run)
    {
        if (_bus.Lapic is not null)
        {
            return;
        }

        // Without an APIC of ours the task priority is the client's to set.
        ulong cr8 = run->cr8;
        if (cr8 > 15)
        {
            throw new KvmException(Errno.EINVAL, $"CR8 = {cr8:x}");
        }

        _bus.SetTaskPriorityQuietly((byte)cr8);
        _bus.WindowRequested = run->request_interrupt_window != 0;
        if (_bus.WindowRequested)
        {
            Processor.Post(_processor.State, Request.Interrupt);
        }
    }

    private uint RunUntilExit(CpuState* s, kvm_run* run, ulong maxInstructions)
    {
        ulong stopAt = maxInstructions > ulong.MaxValue - s->Retired ? ulong.MaxValue : s->Retired + maxInstructions;
        while (true)
        {
            Absorb(s);
            if (TakeKick())
            {
                return KvmExit.KVM_EXIT_INTR;
            }

            if (DirtyRing is { IsSoftFull: true })
            {
                return KvmExit.KVM_EXIT_DIRTY_RING_FULL;
            }

            RunResult result = RunProcessor(s, stopAt - s->Retired);
            if (_ownExit != KvmExit.KVM_EXIT_UNKNOWN)
            {
                if (result is RunResult.Kicked)
                {
                    return TakeOwnExit(run);
                }

                // Something else came first; this exit follows when that is finished.
                Processor.Post(s, Request.Kick);
            }

            switch (result)
            {
                case RunResult.Kicked when StopsAfterBlock:
                    return KvmExit.KVM_EXIT_INTR;
                case RunResult.Kicked:
                    break;
                case RunResult.UserExit:
                    return ReportAccess(run);
                case RunResult.Halted when !_bus.HandlesHalt:
                    s->Activity = Activity.Runnable;
                    return KvmExit.KVM_EXIT_HLT;
                case RunResult.Halted or RunResult.Waiting when LeavesWhenIdle && !IsAsked(s):
                    return KvmExit.KVM_EXIT_HLT;
                case RunResult.Halted or RunResult.Waiting:
                    _statistics.Add(HaltExits);
                    Sleep(s);
                    break;
                case RunResult.Shutdown:
                    _processor.Pending.Clear();
                    return KvmExit.KVM_EXIT_SHUTDOWN;
                case RunResult.Limit:
                    return KvmExit.KVM_EXIT_INTR;
                case RunResult.Debug:
                    return ReportDebug(s, run);
                case RunResult.NoSmram:
                    return ReportInternalError(run, KvmExit.KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON);
                case RunResult.NoCode or RunResult.NotEmulated when s->Cpl != 0 && !_vm.ExitsOnEmulationFailure:
                    // A program must not be able to end the whole machine.
                    RaiseUndefined(s);
                    break;
                default:
                    return ReportEmulationFailure(run);
            }
        }
    }

    /// <summary>A client that wants to save the state lets a half-done access finish, and nothing else happen. [KVM 5 immediate_exit]</summary>
    private uint LetAccessFinish(CpuState* s, kvm_run* run)
    {
        if (_processor.Pending.IsReplay || _processor.Pending.HasWork)
        {
            Processor.Post(s, Request.Kick);
            if (RunProcessor(s, ulong.MaxValue) == RunResult.UserExit)
            {
                return ReportAccess(run);
            }
        }

        return KvmExit.KVM_EXIT_INTR;
    }

    private uint TakeOwnExit(kvm_run* run)
    {
        uint reason = _ownExit;
        _ownExit = KvmExit.KVM_EXIT_UNKNOWN;
        if (reason == KvmExit.KVM_EXIT_IOAPIC_EOI)
        {
            run->eoi.vector = _eoiVector;
        }
        else if (reason == KvmExit.KVM_EXIT_TPR_ACCESS)
        {
            ReportTaskPriority(_processor.State, run);
        }

        return reason;
    }

    /// <summary>The client hears of the instruction when it has been executed, as in the kernel, and nothing else has happened.</summary>
    private void ReportTaskPriority(CpuState* s, kvm_run* run)
    {
        run->tpr_access = new kvm_run.TprAccess { rip = s->Rip, is_write = _writesPriority ? 1u : 0 };
        bool blocks = _processor.BlocksEvents;
        ulong retired = s->Retired;
        _processor.BlocksEvents = _bus.BlocksInterrupts = _bus.LetsTaskPriorityThrough = true;
        while (RunProcessor(s, 1) == RunResult.Kicked && s->Retired == retired)
        {
        }

        _bus.LetsTaskPriorityThrough = false;
        _processor.BlocksEvents = _bus.BlocksInterrupts = blocks;
        Processor.Post(s, Request.Interrupt);
    }

    private bool TakeKick()
    {
        if (Volatile.Read(ref _kicked[0]) == 0)
        {
            return false;
        }

        Volatile.Write(ref _kicked[0], 0);
        return true;
    }

    /// <summary>Somebody wants something of the processor that it has not looked at yet.</summary>
    private bool IsAsked(CpuState* s) => Volatile.Read(ref s->Requests) != 0 || Volatile.Read(ref _asked) != 0;

    /// <summary>Sleeps until a request. Whoever posts one sees that somebody sleeps, or is seen here.</summary>
    private void Sleep(CpuState* s)
    {
        _wake.Enter();
        if (IsAsked(s))
        {
            _wake.Leave();
            return;
        }

        ulong start = _vm.Clock.Source.NowNs;
        _statistics.Set(Blocking, 1);
        _wake.Wait();
        _statistics.Set(Blocking, 0);
        _statistics.Add(HaltWakeups);
        _statistics.Add(HaltWait, _vm.Clock.Source.NowNs - start);
    }

    /// <summary>Sleeps for some time, in the middle of a run, or until there is a request.</summary>
    internal void Doze(TimeSpan time)
    {
        _wake.Enter();
        if (IsAsked(State()))
        {
            _wake.Leave();
            return;
        }

        _statistics.Add(PauseSleeps);
        if (_wake.Wait((long)time.TotalNanoseconds))
        {
            _statistics.Add(PauseWakeups);
        }
    }

    private void FillRunPage(CpuState* s, kvm_run* run)
    {
        bool interruptible = (s->SystemFlags & Rflags.IF) != 0 && s->Gif != 0;
        run->if_flag = interruptible ? (byte)1 : (byte)0;
        run->flags = (ushort)((s->InSmm != 0 ? KvmExit.KVM_RUN_X86_SMM : 0) | (s->GuestMode != 0 ? KvmExit.KVM_RUN_X86_GUEST_MODE : 0));
        run->cr8 = _bus.TaskPriority;
        run->apic_base = _bus.ApicBase;
        run->ready_for_interrupt_injection = IsReadyForInjection(s, interruptible) ? (byte)1 : (byte)0;
        _bus.WindowRequested = false;
    }

    private bool IsReadyForInjection(CpuState* s, bool interruptible)
    {
        if (_bus.Lapic is { } lapic)
        {
            // Only a client with a user-space PIC beside our APIC asks, and our own chips need no help.
            return _vm.Irqchip is not null || (lapic.AcceptsPicInterrupt && !HasUserExtInt);
        }

        return interruptible && s->Shadow == 0 && s->Delivering.Kind == EventKind.None && _processor.InjectedInterrupt < 0 && _processor.InjectedException is null && s->NmiInjected == 0;
    }
}
