using Akvam.Cpu.Cpuid;
using Akvam.Cpu.Events;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.Semantics.Simd;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics.X87;

/// <summary>XRSTOR and XRSTORS. [APM4 XRSTOR] [SDM1 13.8, 13.12]</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class Xrstor
{
    private static Flow Restore(CpuState* s, Insn* i) => Restore(s, i, wide: false, s->Xcr0, supervisor: false);

    private static Flow Restore64(CpuState* s, Insn* i) => Restore(s, i, wide: true, s->Xcr0, supervisor: false);

    private static Flow Supervisor(CpuState* s, Insn* i) => Restore(s, i, wide: false, s->Xcr0 | s->Xss, supervisor: true);

    private static Flow Supervisor64(CpuState* s, Insn* i) => Restore(s, i, wide: true, s->Xcr0 | s->Xss, supervisor: true);

    private static Flow Restore(CpuState* s, Insn* i, bool wide, ulong enabled, bool supervisor)
    {
        byte* area = stackalloc byte[XsaveLayout.BaseSize + XsaveLayout.AvxSize];
        ulong requested = Xsave.Requested(s, enabled);
        if (!Xsave.Address(s, i, XsaveLayout.BaseSize, AccessKind.Read, out ulong linear) || !Mem.LoadBytes(s, linear, area, XsaveLayout.BaseSize))
        {
            return Flow.Abort;
        }

        ulong present = *(ulong*)(area + Xsave.HeaderAt), layout = *(ulong*)(area + Xsave.HeaderAt + 8);
        bool compacted = (layout & Xsave.Compacted) != 0;
        if (!HeaderIsLegal(area + Xsave.HeaderAt, enabled, supervisor))
        {
            return Fault.Gp(s, 0);
        }

        ulong load = requested & present;
        bool mxcsr = compacted ? (load & XsaveLayout.Sse) != 0 : (requested & (XsaveLayout.Sse | XsaveLayout.Avx)) != 0;
        uint newMxcsr = *(uint*)(area + FxImage.MxcsrAt);
        if (mxcsr && (newMxcsr & ~Mxcsr.Defined) != 0)
        {
            return Fault.Gp(s, 0);
        }

        if ((load & XsaveLayout.Avx) != 0 && !Mem.LoadBytes(s, linear + XsaveLayout.AvxOffset, area + XsaveLayout.AvxOffset, XsaveLayout.AvxSize))
        {
            return Flow.Abort;
        }

        uint pkru = 0;
        int pkruAt = compacted ? Xsave.PkruOffset(layout) : XsaveLayout.PkruOffset;
        if ((load & XsaveLayout.Pkru) != 0 && !Mem.LoadLinear(s, linear + (ulong)pkruAt, out pkru))
        {
            return Flow.Abort;
        }

        if (mxcsr)
        {
            s->Mxcsr = newMxcsr;
        }
        else if (compacted && (requested & XsaveLayout.Sse) != 0)
        {
            s->Mxcsr = XsaveState.InitialMxcsr;
        }

        LoadComponents(s, area, requested, load, wide);
        if ((requested & XsaveLayout.Pkru) != 0 && s->Pkru != pkru)
        {
            // As WRPKRU: rights of user pages changed, which the TLB has folded into its entries.
            s->Pkru = pkru;
            TlbControl.FlushAll(s);
        }

        return Flow.Next;
    }

    /// <summary>Checks of the XSAVE header. [SDM1 13.8.1, 13.8.2, 13.12]</summary>
    private static bool HeaderIsLegal(byte* header, ulong enabled, bool supervisor)
    {
        ulong present = *(ulong*)header, layout = *(ulong*)(header + 8);
        if ((layout & Xsave.Compacted) == 0)
        {
            return !supervisor && (present & ~enabled) == 0 && layout == 0 && *(ulong*)(header + 16) == 0;
        }

        ulong components = layout & ~Xsave.Compacted;
        return (components & ~enabled) == 0 && (present & ~components) == 0 && !new Span<byte>(header + 16, 48).ContainsAnyExcept((byte)0);
    }

    /// <summary>Loads the components of <paramref name="load"/>, and initializes those that are only requested.</summary>
    public static void LoadComponents(CpuState* s, byte* area, ulong requested, ulong load, bool wide)
    {
        int count = FxImage.VectorRegisters(s);
        if ((load & XsaveLayout.X87) != 0)
        {
            FxImage.ReadX87(s, area, wide);
        }
        else if ((requested & XsaveLayout.X87) != 0)
        {
            XsaveState.InitializeX87(s);
        }

        if ((load & XsaveLayout.Sse) != 0)
        {
            FxImage.ReadXmm(s, area, count);
        }
        else if ((requested & XsaveLayout.Sse) != 0)
        {
            XsaveState.InitializeXmm(s, count);
        }

        if ((load & XsaveLayout.Avx) != 0)
        {
            XsaveState.ReadAvx(s, area + XsaveLayout.AvxOffset, count);
        }
        else if ((requested & XsaveLayout.Avx) != 0)
        {
            XsaveState.InitializeAvx(s, count);
        }
    }

    internal static void Register(IsaBuilder b)
    {
        b.Add(Code.Xrstor_mem, null, &Restore, legality: Legality.Xsave | Legality.EndsBlock);
        b.Add(Code.Xrstor64_mem, null, &Restore64, legality: Legality.Xsave | Legality.EndsBlock);
        b.Add(Code.Xrstors_mem, null, &Supervisor, legality: Legality.Xsave | Legality.Cpl0 | Legality.EndsBlock);
        b.Add(Code.Xrstors64_mem, null, &Supervisor64, legality: Legality.Xsave | Legality.Cpl0 | Legality.EndsBlock);
    }
}
