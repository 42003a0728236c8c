using Akvam.Cpu.Cpuid;
using Akvam.Cpu.Events;
using Akvam.Cpu.Memory;

namespace Akvam.Cpu.State;

/// <summary>
/// Changes control and debug registers with every check and side effect. MOV, LMSW, CLTS, XSETBV, WRMSR, RSM and the user's state setters all come here, so a
/// bad value fails alike everywhere: false, nothing changed, and the caller raises #GP(0), shuts down or reports an error.
/// </summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
public static unsafe class ControlRegisters
{
    private const ulong Cr0Defined = Cr0.PE | Cr0.MP | Cr0.EM | Cr0.TS | Cr0.ET | Cr0.NE | Cr0.WP | Cr0.AM | Cr0.NW | Cr0.CD | Cr0.PG;

    /// <summary>Bits of CR4 that change the meaning of cached translations. [SDM3 4.10.4.1]</summary>
    private const ulong Cr4Translation = Cr4.PSE | Cr4.PAE | Cr4.PGE | Cr4.LA57 | Cr4.PCIDE | Cr4.SMEP | Cr4.SMAP | Cr4.PKE;

    /// <summary>A change of one of these reloads the PDPTEs in PAE mode. [SDM3 4.4.1]</summary>
    private const ulong Cr4Pdpte = Cr4.PSE | Cr4.PAE | Cr4.PGE | Cr4.SMEP;

    public const ulong Cr3NoFlush = 1ul << 63;
    private const ulong Cr3Pcid = 0xFFF;

    public const ulong Dr6Volatile = 0x0001_E80F;

    /// <summary>RTM and BLD: 0 in DR6 when they apply, 1 in the payload of a #DB. [SDM3 17.2.3] [APM2 13.1.1.3]</summary>
    public const ulong Dr6ActiveLow = 0x0001_0800;
    public const ulong Dr7Volatile = 0xFFFF_2BFF, Dr7Fixed = 0x400;

    /// <summary>Combinations that are wrong in every mode. [APM2 3.1.1]</summary>
    public static bool IsValidCr0(ulong value) =>
        value >> 32 == 0 && !((value & Cr0.NW) != 0 && (value & Cr0.CD) == 0) && !((value & Cr0.PG) != 0 && (value & Cr0.PE) == 0);

    public static bool TrySetCr0(CpuState* s, ulong value)
    {
        if (!IsValidCr0(value))
        {
            return false;
        }

        // Reserved bits below 32 are ignored and ET is always 1.
        value = (value & Cr0Defined) | Cr0.ET;
        ulong old = s->Cr0;
        bool paging = (value & Cr0.PG) != 0;
        bool pagingChanges = ((value ^ old) & Cr0.PG) != 0;
        if ((s->Efer & Efer.LME) != 0 && pagingChanges && paging)
        {
            if ((s->Cr4 & Cr4.PAE) == 0 || s->Cs.IsLong)
            {
                return false;
            }
        }

        // The PDPTEs are read again when one of CD, NW and PG changes. [SDM3 4.4.1]
        if (paging && (s->Efer & Efer.LME) == 0 && (s->Cr4 & Cr4.PAE) != 0 && ((value ^ old) & (Cr0.CD | Cr0.NW | Cr0.PG)) != 0 && !TryLoadPdptes(s, s->Cr3))
        {
            return false;
        }

        if (pagingChanges && !paging && (((s->Efer & Efer.LMA) != 0 && s->Cs.IsLong) || (s->Cr4 & Cr4.PCIDE) != 0))
        {
            return false;
        }

        s->Cr0 = value;
        if (pagingChanges)
        {
            s->Efer = paging && (s->Efer & Efer.LME) != 0 ? s->Efer | Efer.LMA : s->Efer & ~Efer.LMA;
        }

        if (((value ^ old) & (Cr0.PG | Cr0.WP)) != 0)
        {
            Flush(s);
        }

        if (value != old)
        {
            Processor.UpdateMode(s);
        }

        return true;
    }

    /// <summary>True when CR3 may have this value (without bit 63) in the current mode. [SDM3 4.5]</summary>
    public static bool IsValidCr3(CpuState* s, ulong value) => (value & Processor.Of(s).Cpuid.ReservedAddressBits) == 0;

    public static bool TrySetCr3(CpuState* s, ulong value)
    {
        bool pcide = (s->Cr4 & Cr4.PCIDE) != 0;
        bool keep = pcide && (value & Cr3NoFlush) != 0;
        if (pcide)
        {
            value &= ~Cr3NoFlush;
        }

        if (!IsValidCr3(s, value) || (IsPaePaging(s) && !TryLoadPdptes(s, value)))
        {
            return false;
        }

        s->Cr3 = value;
        TlbControl.SwitchContext(s);
        if (!keep && s->KeepTranslations == 0)
        {
            TlbControl.FlushNonGlobal(s);
        }

        return true;
    }

    /// <summary>True when the guest's CPUID allows these bits of CR4.</summary>
    public static bool IsValidCr4(CpuState* s, ulong value) => (value & ~Processor.Of(s).Cpuid.AllowedCr4) == 0;

    public static bool TrySetCr4(CpuState* s, ulong value)
    {
        ulong old = s->Cr4;
        ulong changed = value ^ old;
        if (!IsValidCr4(s, value))
        {
            return false;
        }

        if ((s->Efer & Efer.LMA) != 0)
        {
            if ((value & Cr4.PAE) == 0 || (changed & Cr4.LA57) != 0)
            {
                return false;
            }
        }
        else if ((s->Cr0 & Cr0.PG) != 0 && (value & Cr4.PAE) != 0 && (changed & Cr4Pdpte) != 0 && !TryLoadPdptes(s, s->Cr3))
        {
            return false;
        }

        if ((changed & value & Cr4.PCIDE) != 0 && ((s->Efer & Efer.LMA) == 0 || (s->Cr3 & Cr3Pcid) != 0))
        {
            return false;
        }

        s->Cr4 = value;
        if ((changed & Cr4Translation) != 0)
        {
            Flush(s);
        }

        if (changed != 0)
        {
            Processor.UpdateMode(s);
        }

        return true;
    }

    /// <summary>CR8: bits 7:4 of the task priority. [APM2 3.1.5]</summary>
    public static bool TrySetCr8(CpuState* s, ulong value)
    {
        if (value > 15)
        {
            return false;
        }

        Processor.Of(s).Bus.TaskPriority = (byte)value;
        return true;
    }

    /// <summary>True when the guest's CPUID allows these bits of EFER.</summary>
    public static bool IsValidEfer(CpuState* s, ulong value) => (value & ~Processor.Of(s).Cpuid.AllowedEfer) == 0;

    /// <summary>Writes EFER but for LMA, which follows from LME and CR0.PG. [APM2 3.1.7]</summary>
    public static bool TrySetEfer(CpuState* s, ulong value)
    {
        ulong old = s->Efer;
        if (!IsValidEfer(s, value) || ((s->Cr0 & Cr0.PG) != 0 && ((value ^ old) & Efer.LME) != 0))
        {
            return false;
        }

        s->Efer = (value & ~Efer.LMA) | (old & Efer.LMA);
        if (((s->Efer ^ old) & Efer.NXE) != 0)
        {
            Flush(s);
        }

        if ((old & ~s->Efer & Efer.SVME) != 0)
        {
            // Without SVM there is no global interrupt flag that could hold anything back.
            s->Gif = 1;
            Processor.Post(s, Request.Evaluate);
        }

        Processor.UpdateMode(s);
        return true;
    }

    /// <summary>XSETBV of XCR0: x87 always, AVX only with SSE. [APM4 XSETBV]</summary>
    public static bool TrySetXcr0(CpuState* s, ulong value)
    {
        if ((value & ~Processor.Of(s).Cpuid.AllowedXcr0) != 0 || (value & XsaveLayout.X87) == 0 || (value & (XsaveLayout.Sse | XsaveLayout.Avx)) == XsaveLayout.Avx)
        {
            return false;
        }

        s->Xcr0 = value;
        Processor.UpdateMode(s);
        return true;
    }

    public static bool TrySetXss(CpuState* s, ulong value)
    {
        if ((value & ~Processor.Of(s).Cpuid.AllowedXss) != 0)
        {
            return false;
        }

        s->Xss = value;
        return true;
    }

    public static bool TrySetDr6(CpuState* s, ulong value)
    {
        if (value >> 32 != 0)
        {
            return false;
        }

        ulong fixedBits = Processor.Of(s).Cpuid.Dr6Fixed;
        s->Dr6 = (value & Dr6Volatile & ~fixedBits) | fixedBits;
        return true;
    }

    public static bool TrySetDr7(CpuState* s, ulong value)
    {
        if (value >> 32 != 0)
        {
            return false;
        }

        ulong old = s->Dr7;
        s->Dr7 = (value & Dr7Volatile) | Dr7Fixed;
        if (s->Dr7 != old)
        {
            BreakpointsChanged(s);
        }

        return true;
    }

    /// <summary>DR0 to DR3: any linear address.</summary>
    public static void SetDr(CpuState* s, int number, ulong value)
    {
        ulong old = s->Dr[number];
        s->Dr[number] = value;
        if (old != value && (s->Dr7 & 0xFF) != 0)
        {
            BreakpointsChanged(s);
        }
    }

    /// <summary>The payload that a #DB must have so that its delivery leaves DR6 as it is.</summary>
    public static ulong Dr6AsPayload(CpuState* s) => (s->Dr6 & Dr6Volatile) ^ Dr6ActiveLow;

    private static void BreakpointsChanged(CpuState* s)
    {
        Breakpoints.Arm(s);
        Processor.Post(s, Request.Evaluate);
    }

    public static bool IsPaePaging(CpuState* s) => (s->Cr0 & Cr0.PG) != 0 && (s->Cr4 & Cr4.PAE) != 0 && (s->Efer & Efer.LMA) == 0;

    /// <summary>Reads the four PDPTEs that <paramref name="cr3"/> points to; false: unreadable or a present one has reserved bits. [SDM3 4.4.1]</summary>
    public static bool TryLoadPdptes(CpuState* s, ulong cr3)
    {
        ulong* pdptes = stackalloc ulong[4];
        if (!PhysicalAccess.Read(s, cr3 & 0xFFFF_FFE0, pdptes, 4 * sizeof(ulong)))
        {
            return false;
        }

        ulong reserved = Processor.Of(s).Cpuid.ReservedAddressBits | 0x1E6;
        for (int i = 0; i < 4; i++)
        {
            if ((pdptes[i] & 1) != 0 && (pdptes[i] & reserved) != 0)
            {
                return false;
            }
        }

        bool changed = false;
        for (int i = 0; i < 4; i++)
        {
            changed |= s->Pdpte[i] != pdptes[i];
            s->Pdpte[i] = pdptes[i];
        }

        if (changed)
        {
            // Not even RSM may keep translations through other tables.
            TlbControl.FlushAll(s);
        }

        return true;
    }

    private static void Flush(CpuState* s)
    {
        if (s->KeepTranslations == 0)
        {
            TlbControl.FlushAll(s);
        }
    }

    /// <summary>To be called after the user wrote control registers without these setters (KVM_SET_SREGS): translations and derived state start afresh.</summary>
    public static void Reloaded(CpuState* s)
    {
        Breakpoints.Arm(s);
        TlbControl.FlushAll(s);
        Processor.UpdateMode(s);
        Processor.Post(s, Request.Evaluate);
    }
}
