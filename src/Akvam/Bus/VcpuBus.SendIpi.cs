using Akvam.Abi;
using Akvam.Cpu.State;
using Akvam.Devices;

namespace Akvam;

/// <content>Interrupts that a guest sends with a hypercall. [KVM hypercalls.rst]</content>
internal sealed unsafe partial class VcpuBus
{
    private const uint IcrLevelTriggered = 1 << 15, IcrAssert = 1 << 14, IcrShorthand = 3 << 18;

    /// <summary>
    /// KVM_HC_SEND_IPI: one message to each processor of a bitmap, RBX its lower and RCX its upper half, RDX the APIC id of its first bit; RSI is the lower
    /// half of an ICR. The answer is how many took it.
    /// </summary>
    private long SendIpis(CpuState* s, bool wide)
    {
        ulong mask = wide ? ulong.MaxValue : uint.MaxValue, low = s->Gpr[Register.Rbx] & mask, high = s->Gpr[Register.Rcx] & mask;
        uint first = (uint)s->Gpr[Register.Rdx], icr = (uint)s->Gpr[Register.Rsi];
        if ((icr & IcrShorthand) != 0)
        {
            return -(long)Errno.EINVAL;
        }

        int half = wide ? 64 : 32;
        UInt128 bitmap = low | (UInt128)high << half;
        long taken = 0;
        foreach (Lapic lapic in _vm.ApicBus!.Lapics)
        {
            uint bit = lapic.InitialId - first;
            if (lapic.InitialId < first || bit >= 2 * half || (bitmap >> (int)bit & 1) == 0)
            {
                continue;
            }

            taken += Math.Max(0, _vm.ApicBus.Send(new ApicMessage
            {
                Destination = lapic.InitialId,
                Mode = (DeliveryMode)(icr >> 8 & 7),
                Vector = (byte)icr,
                LevelTriggered = (icr & IcrLevelTriggered) != 0,
                Assert = (icr & IcrAssert) != 0,
                Wide = true,
            }));
        }

        return taken;
    }
}
