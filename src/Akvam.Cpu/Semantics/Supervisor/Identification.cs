using Akvam.Cpu.Cpuid;
using Akvam.Cpu.Events;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Msr;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics.Supervisor;

/// <summary>CPUID, RDMSR, WRMSR, RDTSC, RDTSCP, RDPID, RDPMC. [APM3 CPUID] [APM3 RDMSR] [APM3 RDTSC] [APM3 RDPMC]</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class Identification
{
    private const int Rax = State.Register.Rax, Rcx = State.Register.Rcx, Rdx = State.Register.Rdx, Rbx = State.Register.Rbx;

    private static Flow Cpuid(CpuState* s, Insn* i)
    {
        Processor p = Processor.Of(s);
        if (s->Cpl != 0 && p.Msrs.CpuidFaulting)
        {
            return Fault.Gp(s, 0);
        }

        CpuidEntry e = p.Cpuid.Query(s, (uint)s->Gpr[Rax], (uint)s->Gpr[Rcx]);
        s->Gpr[Rax] = e.Eax;
        s->Gpr[Rbx] = e.Ebx;
        s->Gpr[Rcx] = e.Ecx;
        s->Gpr[Rdx] = e.Edx;
        return Flow.Next;
    }

    private static Flow Rdmsr(CpuState* s, Insn* i)
    {
        ulong value = 0;
        switch (AccessMsr(s, PendingKind.MsrRead, ref value))
        {
            case MsrAccess.Done:
                SetEdxEax(s, value);
                return Flow.Next;
            case MsrAccess.UserExit:
                return Flow.Abort;
            default:
                return Fault.Gp(s, 0);
        }
    }

    private static Flow Wrmsr(CpuState* s, Insn* i)
    {
        ulong value = EdxEax(s);
        return AccessMsr(s, PendingKind.MsrWrite, ref value) switch
        {
            MsrAccess.Done => Flow.End,
            MsrAccess.UserExit => Flow.Abort,
            _ => Fault.Gp(s, 0),
        };
    }

    /// <summary>The access, or user space's answer where it wants to be asked; UserExit: it has not answered yet.</summary>
    private static MsrAccess AccessMsr(CpuState* s, PendingKind kind, ref ulong value)
    {
        Processor p = Processor.Of(s);
        uint index = (uint)s->Gpr[Rcx];
        bool isWrite = kind == PendingKind.MsrWrite;
        IMsrPolicy? policy = p.MsrPolicy;
        MsrRefusal why = MsrRefusal.Filtered;
        if (policy is null || policy.Allows(index, isWrite))
        {
            MsrAccess access = isWrite ? p.Msrs.Write(s, index, value) : p.Msrs.Read(s, index, out value);
            if (access == MsrAccess.Done || (access == MsrAccess.Fault && policy is null))
            {
                return access;
            }

            why = access == MsrAccess.Fault && p.Msrs.Exists(s, index) ? MsrRefusal.Invalid : MsrRefusal.Unknown;
        }

        if (policy is not null && (policy.Asks & why) == 0)
        {
            return MsrAccess.Fault;
        }

        return p.Pending.AccessMsr(s, kind, index, why, ref value) switch
        {
            null => MsrAccess.UserExit,
            true => MsrAccess.Done,
            false => MsrAccess.Fault,
        };
    }

    private static bool TimeIsPrivileged(CpuState* s) => s->Cpl != 0 && (s->Cr4 & Cr4.TSD) != 0;

    private static Flow Rdtsc(CpuState* s, Insn* i)
    {
        if (TimeIsPrivileged(s))
        {
            return Fault.Gp(s, 0);
        }

        SetEdxEax(s, Processor.Of(s).Bus.ReadTsc() + s->TscOffset);
        return Flow.Next;
    }

    private static Flow Rdtscp(CpuState* s, Insn* i)
    {
        Flow flow = Rdtsc(s, i);
        if (flow == Flow.Next)
        {
            s->Gpr[Rcx] = (uint)s->TscAux;
        }

        return flow;
    }

    private static Flow Rdpid(CpuState* s, Insn* i)
    {
        Operand.Set(s, i->R0, (ulong)(uint)s->TscAux);
        return Flow.Next;
    }

    /// <summary>
    /// CPUID offers no counters, so every number is a wrong one, unless the bus has it. (Their MSRs read as zero, because old kernels write them without looking.) [SDM2 RDPMC]
    /// </summary>
    private static Flow Rdpmc(CpuState* s, Insn* i)
    {
        if (!Processor.Of(s).Bus.ReadCounter((uint)s->Gpr[Rcx], out ulong value))
        {
            return Fault.Gp(s, 0);
        }

        SetEdxEax(s, value);
        return Flow.Next;
    }

    private static ulong EdxEax(CpuState* s) => (s->Gpr[Rdx] << 32) | (uint)s->Gpr[Rax];

    private static void SetEdxEax(CpuState* s, ulong value)
    {
        s->Gpr[Rax] = (uint)value;
        s->Gpr[Rdx] = value >> 32;
    }

    internal static void Register(IsaBuilder b)
    {
        b.Add(Code.Cpuid, &Cpuid);
        b.Add(Code.Rdmsr, &Rdmsr, legality: Legality.Cpl0);
        b.Add(Code.Wrmsr, &Wrmsr, legality: Legality.Cpl0 | Legality.EndsBlock);
        b.Add(Code.Rdtsc, &Rdtsc);
        b.Add(Code.Rdtscp, &Rdtscp);
        b.Add(Code.Rdpid_r32, &Rdpid);
        b.Add(Code.Rdpid_r64, &Rdpid);
        b.Add(Code.Rdpmc, &Rdpmc);
    }
}
