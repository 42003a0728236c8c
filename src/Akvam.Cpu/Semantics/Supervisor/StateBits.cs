using Akvam.Cpu.Cpuid;
using Akvam.Cpu.Events;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics.Supervisor;

/// <summary>RDFSBASE and the like, XGETBV, XSETBV, RDPKRU, WRPKRU, CLAC, STAC. [APM3 RDFSBASE] [APM4 XGETBV] [APM4 XSETBV] [APM3 RDPKRU] [APM3 STAC]</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class StateBits
{
    private const int Rax = State.Register.Rax, Rcx = State.Register.Rcx, Rdx = State.Register.Rdx;

    private static Flow ReadFs<T>(CpuState* s, Insn* i)
        where T : unmanaged => Read<T>(s, i, s->Fs.Base);

    private static Flow ReadGs<T>(CpuState* s, Insn* i)
        where T : unmanaged => Read<T>(s, i, s->Gs.Base);

    private static Flow Read<T>(CpuState* s, Insn* i, ulong value)
        where T : unmanaged
    {
        Operand.Set(s, i->R0, *(T*)&value);
        return Flow.Next;
    }

    private static Flow WriteFs<T>(CpuState* s, Insn* i)
        where T : unmanaged => Write<T>(s, i, &s->Fs);

    private static Flow WriteGs<T>(CpuState* s, Insn* i)
        where T : unmanaged => Write<T>(s, i, &s->Gs);

    private static Flow Write<T>(CpuState* s, Insn* i, SegmentRegister* r)
        where T : unmanaged
    {
        ulong value = 0;
        *(T*)&value = Operand.Get<T>(s, i->R0);
        if (!Canonical.Is(s, value))
        {
            return Fault.Gp(s, 0);
        }

        r->Base = value;
        return Flow.Next;
    }

    private static Flow Xgetbv(CpuState* s, Insn* i)
    {
        ulong value;
        switch ((uint)s->Gpr[Rcx])
        {
            case 0:
                value = s->Xcr0;
                break;
            case 1 when Processor.Of(s).Cpuid.Allows(Feature.Xgetbv1):
                value = s->Xcr0 & InUse(s);
                break;
            default:
                return Fault.Gp(s, 0);
        }

        s->Gpr[Rax] = (uint)value;
        s->Gpr[Rdx] = value >> 32;
        return Flow.Next;
    }

    /// <summary>XINUSE: components that are not in their initial state; x87 and SSE always count as used. [SDM1 13.6]</summary>
    private static ulong InUse(CpuState* s)
    {
        ulong used = XsaveLayout.X87 | XsaveLayout.Sse | (s->Pkru != 0 ? XsaveLayout.Pkru : 0);
        for (int n = 0; n < 16; n++)
        {
            if (*(UInt128*)(s->Vector + (32 * n) + 16) != 0)
            {
                return used | XsaveLayout.Avx;
            }
        }

        return used;
    }

    private static Flow Xsetbv(CpuState* s, Insn* i)
    {
        ulong value = (s->Gpr[Rdx] << 32) | (uint)s->Gpr[Rax];
        return (uint)s->Gpr[Rcx] == 0 && ControlRegisters.TrySetXcr0(s, value) ? Flow.End : Fault.Gp(s, 0);
    }

    private static Flow Rdpkru(CpuState* s, Insn* i)
    {
        if ((uint)s->Gpr[Rcx] != 0)
        {
            return Fault.Gp(s, 0);
        }

        s->Gpr[Rax] = s->Pkru;
        s->Gpr[Rdx] = 0;
        return Flow.Next;
    }

    private static Flow Wrpkru(CpuState* s, Insn* i)
    {
        if ((uint)s->Gpr[Rcx] != 0 || (uint)s->Gpr[Rdx] != 0)
        {
            return Fault.Gp(s, 0);
        }

        if (s->Pkru != (uint)s->Gpr[Rax])
        {
            // Cached translations carry the rights that the old value gave.
            s->Pkru = (uint)s->Gpr[Rax];
            TlbControl.FlushAll(s);
        }

        return Flow.Next;
    }

    private static Flow Clac(CpuState* s, Insn* i) => SetAc(s, 0);

    private static Flow Stac(CpuState* s, Insn* i) => SetAc(s, Rflags.AC);

    /// <summary>Only the tags of data accesses depend on AC, so the block goes on.</summary>
    private static Flow SetAc(CpuState* s, ulong value)
    {
        if (s->Cpl != 0)
        {
            return Fault.Ud(s);
        }

        s->SystemFlags = (s->SystemFlags & ~Rflags.AC) | value;
        TlbControl.UpdateTags(s);
        return Flow.Next;
    }

    internal static void Register(IsaBuilder b)
    {
        const Legality Base = Legality.Only64 | Legality.FsGsBase;
        b.Add(Code.Rdfsbase_r32, &ReadFs<uint>, legality: Base);
        b.Add(Code.Rdfsbase_r64, &ReadFs<ulong>, legality: Base);
        b.Add(Code.Rdgsbase_r32, &ReadGs<uint>, legality: Base);
        b.Add(Code.Rdgsbase_r64, &ReadGs<ulong>, legality: Base);
        b.Add(Code.Wrfsbase_r32, &WriteFs<uint>, legality: Base);
        b.Add(Code.Wrfsbase_r64, &WriteFs<ulong>, legality: Base);
        b.Add(Code.Wrgsbase_r32, &WriteGs<uint>, legality: Base);
        b.Add(Code.Wrgsbase_r64, &WriteGs<ulong>, legality: Base);
        b.Add(Code.Xgetbv, &Xgetbv, legality: Legality.Xsave);
        b.Add(Code.Xsetbv, &Xsetbv, legality: Legality.Xsave | Legality.Cpl0 | Legality.EndsBlock);
        b.Add(Code.Rdpkru, &Rdpkru, legality: Legality.Pke);
        b.Add(Code.Wrpkru, &Wrpkru, legality: Legality.Pke);
        b.Add(Code.Clac, &Clac);
        b.Add(Code.Stac, &Stac);
    }
}
