using Akvam.Abi;
using Akvam.Cpu;
using Akvam.Cpu.Flags;
using Akvam.Cpu.State;

namespace Akvam;

/// <content>General registers. [KVM 4.11]</content>
public sealed unsafe partial class Vcpu
{
    public kvm_regs GetRegs()
    {
        lock (_gate)
        {
            CpuState* s = State();
            ulong* g = s->Gpr;
            return new kvm_regs
            {
                rax = g[0],
                rcx = g[1],
                rdx = g[2],
                rbx = g[3],
                rsp = g[4],
                rbp = g[5],
                rsi = g[6],
                rdi = g[7],
                r8 = g[8],
                r9 = g[9],
                r10 = g[10],
                r11 = g[11],
                r12 = g[12],
                r13 = g[13],
                r14 = g[14],
                r15 = g[15],
                rip = s->Rip,
                rflags = LazyFlags.Read(s),
            };
        }
    }

    /// <summary>Sets all of them; an exception that was pending but not yet in delivery is dropped.</summary>
    public void SetRegs(in kvm_regs regs)
    {
        lock (_gate)
        {
            CpuState* s = State();
            ulong* g = s->Gpr;
            g[0] = regs.rax;
            g[1] = regs.rcx;
            g[2] = regs.rdx;
            g[3] = regs.rbx;
            g[4] = regs.rsp;
            g[5] = regs.rbp;
            g[6] = regs.rsi;
            g[7] = regs.rdi;
            g[8] = regs.r8;
            g[9] = regs.r9;
            g[10] = regs.r10;
            g[11] = regs.r11;
            g[12] = regs.r12;
            g[13] = regs.r13;
            g[14] = regs.r14;
            g[15] = regs.r15;
            s->Rip = regs.rip;
            bool wasVm86 = (s->SystemFlags & Rflags.VM) != 0;
            LazyFlags.Write(s, regs.rflags);
            if (wasVm86 != ((s->SystemFlags & Rflags.VM) != 0))
            {
                s->Cpl = (byte)s->Ss.Dpl;
            }

            DropPendingException();
            Changed(s);
        }
    }

    /// <summary>CPL follows from real and virtual-8086 mode, whatever SS says; the derived state and every event are looked at again.</summary>
    private static void Changed(CpuState* s)
    {
        if ((s->Cr0 & Cr0.PE) == 0)
        {
            s->Cpl = 0;
        }
        else if ((s->SystemFlags & Rflags.VM) != 0)
        {
            s->Cpl = 3;
        }

        Processor.UpdateMode(s);
        Processor.Post(s, Request.Evaluate);
    }
}
