using Akvam.Abi;
using Akvam.Cpu.State;

namespace Akvam;

/// <content>Whether the processor runs, halts, or waits for INIT or SIPI. [KVM 4.38]</content>
public sealed unsafe partial class Vcpu
{
    /// <summary>One of KVM_MP_STATE_*. An INIT or SIPI that is waiting takes effect first, as it does with the real KVM.</summary>
    public kvm_mp_state GetMpState()
    {
        lock (_gate)
        {
            CpuState* s = State();
            TakeInitAndSipi(s);
            return new kvm_mp_state { mp_state = (uint)s->Activity };
        }
    }

    /// <exception cref="KvmException">EINVAL: unknown, or one that needs an APIC of KVM's, or waiting for SIPI while INIT is blocked or an SMI waits.</exception>
    public void SetMpState(in kvm_mp_state state)
    {
        lock (_gate)
        {
            CpuState* s = State();
            bool waiting = state.mp_state is KvmState.KVM_MP_STATE_INIT_RECEIVED or KvmState.KVM_MP_STATE_SIPI_RECEIVED;
            if (state.mp_state > KvmState.KVM_MP_STATE_SIPI_RECEIVED || (_bus.Lapic is null && state.mp_state != KvmState.KVM_MP_STATE_RUNNABLE))
            {
                throw new KvmException(Errno.EINVAL, $"mp_state {state.mp_state}");
            }

            Absorb(s);
            if (waiting && (IsInitBlocked(s) || s->SmiPending != 0))
            {
                throw new KvmException(Errno.EINVAL, "waiting for SIPI while INIT is blocked or an SMI waits");
            }

            if (state.mp_state == KvmState.KVM_MP_STATE_SIPI_RECEIVED)
            {
                s->Activity = Activity.InitReceived;
                s->SipiPending = 1;
            }
            else
            {
                s->Activity = (Activity)state.mp_state;
            }

            Post(Request.Evaluate);
        }
    }

    private static bool IsInitBlocked(CpuState* s) => s->InSmm != 0 || s->Gif == 0;

    private void TakeInitAndSipi(CpuState* s)
    {
        Absorb(s);
        if ((s->InitPending != 0 || s->SipiPending != 0) && !IsInitBlocked(s))
        {
            // No instruction: a reset processor, or one that waits for SIPI, has no other event to take.
            RunProcessor(s, 0);
        }
    }
}
