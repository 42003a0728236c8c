using Akvam.Cpu.Events;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics.Supervisor;

/// <summary>MOV to and from CRn and DRn, LMSW, SMSW, CLTS. [APM3 MOV CRn] [APM3 MOV DRn] [APM3 LMSW] [APM3 SMSW] [APM3 CLTS]</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class ControlMoves
{
    private const ulong Dr6Bd = 1 << 13, Dr7Gd = 1 << 13;

    private static Flow FromCr<T>(CpuState* s, Insn* i)
        where T : unmanaged
    {
        ulong value;
        switch (i->R1)
        {
            case 0:
                value = s->Cr0;
                break;
            case 2:
                value = s->Cr2;
                break;
            case 3:
                value = s->Cr3;
                break;
            case 4:
                value = s->Cr4;
                break;
            case 8:
                value = Processor.Of(s).Bus.TaskPriority;
                break;
            default:
                return Fault.Ud(s);
        }

        Operand.Set(s, i->R0, *(T*)&value);
        return Flow.Next;
    }

    private static Flow ToCr<T>(CpuState* s, Insn* i)
        where T : unmanaged
    {
        ulong value = 0;
        *(T*)&value = Operand.Get<T>(s, i->R1);
        bool ok;
        switch (i->R0)
        {
            case 0:
                ok = ControlRegisters.TrySetCr0(s, value);
                break;
            case 2:
                s->Cr2 = value;
                return Flow.Next;
            case 3:
                ok = ControlRegisters.TrySetCr3(s, value);
                break;
            case 4:
                ok = ControlRegisters.TrySetCr4(s, value);
                break;
            case 8:
                ok = ControlRegisters.TrySetCr8(s, value);
                Processor.Post(s, Request.Evaluate);
                break;
            default:
                return Fault.Ud(s);
        }

        return ok ? Flow.End : Fault.Gp(s, 0);
    }

    /// <summary>DR4 and DR5 are DR6 and DR7 unless CR4.DE; DR8 and above do not exist. Null: the fault is set. [APM2 13.1.1]</summary>
    private static int? DebugRegister(CpuState* s, int number)
    {
        if (number >= 8 || (number is 4 or 5 && (s->Cr4 & Cr4.DE) != 0))
        {
            Fault.Ud(s);
            return null;
        }

        if ((s->Dr7 & Dr7Gd) != 0)
        {
            // The handler must be able to use the debug registers. [SDM3 18.2.4]
            Fault.Raise(s, Vector.DB, 0, Dr6Bd);
            s->Fault.HasErrorCode = false;
            return null;
        }

        return number is 4 or 5 ? number + 2 : number;
    }

    /// <summary>General detect looks at the registers in force, which may be a debugger's; what is moved is the guest's.</summary>
    private static Flow FromDr<T>(CpuState* s, Insn* i)
        where T : unmanaged
    {
        if (DebugRegister(s, i->R1) is not { } number)
        {
            return Flow.Abort;
        }

        DebugRegisters? guest = Processor.Of(s).GuestDebugRegisters;
        guest?.Exchange(s);
        Flow flow = GetDr<T>(s, i, number);
        guest?.Exchange(s);
        return flow;
    }

    private static Flow ToDr<T>(CpuState* s, Insn* i)
        where T : unmanaged
    {
        if (DebugRegister(s, i->R0) is not { } number)
        {
            return Flow.Abort;
        }

        DebugRegisters? guest = Processor.Of(s).GuestDebugRegisters;
        guest?.Exchange(s);
        Flow flow = SetDr<T>(s, i, number);
        guest?.Exchange(s);
        return flow;
    }

    private static Flow GetDr<T>(CpuState* s, Insn* i, int number)
        where T : unmanaged
    {
        ulong value = number switch
        {
            6 => s->Dr6,
            7 => s->Dr7,
            _ => s->Dr[number],
        };
        Operand.Set(s, i->R0, *(T*)&value);
        return Flow.Next;
    }

    private static Flow SetDr<T>(CpuState* s, Insn* i, int number)
        where T : unmanaged
    {
        ulong value = 0;
        *(T*)&value = Operand.Get<T>(s, i->R1);
        bool ok = true;
        switch (number)
        {
            case 6:
                ok = ControlRegisters.TrySetDr6(s, value);
                break;
            case 7:
                ok = ControlRegisters.TrySetDr7(s, value);
                break;
            default:
                ControlRegisters.SetDr(s, number, value);
                break;
        }

        return ok ? Flow.End : Fault.Gp(s, 0);
    }

    /// <summary>SMSW to a register: as much of CR0 as fits.</summary>
    private static Flow SmswR<T>(CpuState* s, Insn* i)
        where T : unmanaged
    {
        ulong value = s->Cr0;
        Operand.Set(s, i->R0, *(T*)&value);
        return Flow.Next;
    }

    private static Flow SmswM(CpuState* s, Insn* i) => Mem.Store(s, i, (ushort)s->Cr0);

    private static Flow LmswR(CpuState* s, Insn* i) => Lmsw(s, Operand.Get<ushort>(s, i->R0));

    private static Flow LmswM(CpuState* s, Insn* i) => Mem.Load(s, i, out ushort value) ? Lmsw(s, value) : Flow.Abort;

    /// <summary>PE, MP, EM and TS; PE can be set only.</summary>
    private static Flow Lmsw(CpuState* s, ushort value)
    {
        const ulong Settable = Cr0.PE | Cr0.MP | Cr0.EM | Cr0.TS;
        return ControlRegisters.TrySetCr0(s, (s->Cr0 & (~Settable | Cr0.PE)) | (value & Settable)) ? Flow.End : Fault.Gp(s, 0);
    }

    private static Flow Clts(CpuState* s, Insn* i)
    {
        s->Cr0 &= ~Cr0.TS;
        Processor.UpdateMode(s);
        return Flow.End;
    }

    internal static void Register(IsaBuilder b)
    {
        const Legality Privileged = Legality.Cpl0 | Legality.EndsBlock;
        b.Add(Code.Mov_r32_cr, &FromCr<uint>, legality: Legality.Cpl0);
        b.Add(Code.Mov_r64_cr, &FromCr<ulong>, legality: Legality.Cpl0);
        b.Add(Code.Mov_cr_r32, &ToCr<uint>, legality: Privileged);
        b.Add(Code.Mov_cr_r64, &ToCr<ulong>, legality: Privileged);
        b.Add(Code.Mov_r32_dr, &FromDr<uint>, legality: Legality.Cpl0);
        b.Add(Code.Mov_r64_dr, &FromDr<ulong>, legality: Legality.Cpl0);
        b.Add(Code.Mov_dr_r32, &ToDr<uint>, legality: Privileged);
        b.Add(Code.Mov_dr_r64, &ToDr<ulong>, legality: Privileged);
        b.Add(Code.Smsw_rm16, &SmswR<ushort>, &SmswM, legality: Legality.Umip);
        b.Add(Code.Smsw_r32m16, &SmswR<uint>, &SmswM, legality: Legality.Umip);
        b.Add(Code.Smsw_r64m16, &SmswR<ulong>, &SmswM, legality: Legality.Umip);
        b.Add(Code.Lmsw_rm16, &LmswR, &LmswM, legality: Privileged);
        b.Add(Code.Lmsw_r32m16, &LmswR, &LmswM, legality: Privileged);
        b.Add(Code.Lmsw_r64m16, &LmswR, &LmswM, legality: Privileged);
        b.Add(Code.Clts, &Clts, legality: Privileged);
    }
}
