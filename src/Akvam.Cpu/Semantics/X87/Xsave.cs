using Akvam.Cpu.Cpuid;
using Akvam.Cpu.Events;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics.X87;

/// <summary>XSAVE, XSAVEOPT, XSAVEC, XSAVES. [APM4 XSAVE] [SDM1 13.7, 13.9, 13.10, 13.11]</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class Xsave
{
    public const int HeaderAt = 512;
    public const ulong Compacted = 1ul << 63;

    private static Flow Plain(CpuState* s, Insn* i) => Standard(s, i, wide: false, optimized: false);

    private static Flow Plain64(CpuState* s, Insn* i) => Standard(s, i, wide: true, optimized: false);

    private static Flow Optimized(CpuState* s, Insn* i) => Standard(s, i, wide: false, optimized: true);

    private static Flow Optimized64(CpuState* s, Insn* i) => Standard(s, i, wide: true, optimized: true);

    private static Flow Compact(CpuState* s, Insn* i) => Compact(s, i, wide: false, s->Xcr0);

    private static Flow Compact64(CpuState* s, Insn* i) => Compact(s, i, wide: true, s->Xcr0);

    private static Flow Supervisor(CpuState* s, Insn* i) => Compact(s, i, wide: false, s->Xcr0 | s->Xss);

    private static Flow Supervisor64(CpuState* s, Insn* i) => Compact(s, i, wide: true, s->Xcr0 | s->Xss);

    /// <summary>EDX:EAX, restricted to what is enabled.</summary>
    public static ulong Requested(CpuState* s, ulong enabled) =>
        ((s->Gpr[Akvam.Cpu.State.Register.Rdx] << 32) | (uint)s->Gpr[Akvam.Cpu.State.Register.Rax]) & enabled;

    /// <summary>The checks all forms share: #NM, then the address, aligned to 64. [SDM1 13.7]</summary>
    public static bool Address(CpuState* s, Insn* i, int size, AccessKind kind, out ulong linear)
    {
        if ((s->Mode & ModeKey.Ts) != 0)
        {
            Fault.Nm(s);
            linear = 0;
            return false;
        }

        if (!Mem.Address(s, i, size, kind, out linear))
        {
            return false;
        }

        if ((linear & 63) != 0)
        {
            Fault.Gp(s, 0);
            return false;
        }

        return true;
    }

    private static Flow Standard(CpuState* s, Insn* i, bool wide, bool optimized)
    {
        ulong requested = Requested(s, s->Xcr0);
        if (!Address(s, i, (int)XsaveLayout.StandardSize(requested), AccessKind.Write, out ulong linear) || !Probe(s, linear, requested, XsaveLayout.PkruOffset)
            || !Mem.LoadLinear(s, linear + HeaderAt, out ulong header))
        {
            return Flow.Abort;
        }

        ulong inUse = XsaveState.InUse(s);
        ulong stored = optimized ? requested & inUse : requested;
        bool mxcsr = (requested & (XsaveLayout.Sse | XsaveLayout.Avx)) != 0;
        Flow flow = StoreComponents(s, linear, stored, mxcsr, wide, XsaveLayout.PkruOffset);
        return flow == Flow.Abort ? flow : flow | Mem.StoreLinear(s, linear + HeaderAt, (header & ~requested) | (inUse & requested));
    }

    private static Flow Compact(CpuState* s, Insn* i, bool wide, ulong enabled)
    {
        ulong requested = Requested(s, enabled);
        int pkru = PkruOffset(requested);
        if (!Address(s, i, (int)XsaveLayout.CompactedSize(requested), AccessKind.Write, out ulong linear) || !Probe(s, linear, requested, pkru))
        {
            return Flow.Abort;
        }

        // In the compacted form MXCSR is part of the SSE component. [SDM1 13.10]
        ulong inUse = XsaveState.InUse(s) | (s->Mxcsr != XsaveState.InitialMxcsr ? XsaveLayout.Sse : 0);
        ulong stored = requested & inUse;
        byte* header = stackalloc byte[64];
        new Span<byte>(header, 64).Clear();
        *(ulong*)header = stored;
        *(ulong*)(header + 8) = requested | Compacted;
        Flow flow = StoreComponents(s, linear, stored, (stored & XsaveLayout.Sse) != 0, wide, pkru);
        return flow == Flow.Abort ? flow : flow | Mem.StoreBytes(s, linear + HeaderAt, header, 64);
    }

    /// <summary>Where PKRU is in an area in compacted format.</summary>
    public static int PkruOffset(ulong components) => XsaveLayout.BaseSize + ((components & XsaveLayout.Avx) != 0 ? XsaveLayout.AvxSize : 0);

    private static bool Probe(CpuState* s, ulong linear, ulong components, int pkru)
    {
        int size = XsaveLayout.BaseSize + ((components & XsaveLayout.Avx) != 0 ? XsaveLayout.AvxSize : 0);
        return Mem.Probe(s, linear, size, AccessKind.Write)
            && ((components & XsaveLayout.Pkru) == 0 || Mem.Probe(s, linear + (ulong)pkru, XsaveLayout.PkruSize, AccessKind.Write));
    }

    /// <summary>Next, or End when a store hit decoded code, or (all bits of both) Abort.</summary>
    private static Flow StoreComponents(CpuState* s, ulong linear, ulong components, bool mxcsr, bool wide, int pkru)
    {
        byte* area = stackalloc byte[512];
        int count = FxImage.VectorRegisters(s);
        Flow flow = Flow.Next;
        if ((components & XsaveLayout.X87) != 0)
        {
            FxImage.WriteX87(s, area, wide);
            flow |= Mem.StoreBytes(s, linear, area, FxImage.MxcsrAt);
            flow |= Mem.StoreBytes(s, linear + FxImage.RegistersAt, area + FxImage.RegistersAt, 128);
        }

        if (mxcsr)
        {
            FxImage.WriteMxcsr(s, area);
            flow |= Mem.StoreBytes(s, linear + FxImage.MxcsrAt, area + FxImage.MxcsrAt, 8);
        }

        if ((components & XsaveLayout.Sse) != 0)
        {
            FxImage.WriteXmm(s, area, count);
            flow |= Mem.StoreBytes(s, linear + FxImage.XmmAt, area + FxImage.XmmAt, 16 * count);
        }

        if ((components & XsaveLayout.Avx) != 0)
        {
            XsaveState.WriteAvx(s, area, count);
            flow |= Mem.StoreBytes(s, linear + XsaveLayout.AvxOffset, area, 16 * count);
        }

        if ((components & XsaveLayout.Pkru) != 0)
        {
            flow |= Mem.StoreLinear(s, linear + (ulong)pkru, (ulong)s->Pkru);
        }

        return flow;
    }

    internal static void Register(IsaBuilder b)
    {
        b.Add(Code.Xsave_mem, null, &Plain, legality: Legality.Xsave);
        b.Add(Code.Xsave64_mem, null, &Plain64, legality: Legality.Xsave);
        b.Add(Code.Xsaveopt_mem, null, &Optimized, legality: Legality.Xsave);
        b.Add(Code.Xsaveopt64_mem, null, &Optimized64, legality: Legality.Xsave);
        b.Add(Code.Xsavec_mem, null, &Compact, legality: Legality.Xsave);
        b.Add(Code.Xsavec64_mem, null, &Compact64, legality: Legality.Xsave);
        b.Add(Code.Xsaves_mem, null, &Supervisor, legality: Legality.Xsave | Legality.Cpl0);
        b.Add(Code.Xsaves64_mem, null, &Supervisor64, legality: Legality.Xsave | Legality.Cpl0);
    }
}
