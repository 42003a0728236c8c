using Akvam.Cpu.Cpuid;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Smm;

/// <summary>Says from the image alone whether RSM must load it: the failure catalogue of the semantics sheet, typed from there.</summary>
/// <remarks>Valid for the machine it is given.</remarks>
internal static unsafe class SmmImageOracle
{
    public static bool Loads(SmmMachine m, bool longMap)
    {
        GuestCpuid cpuid = m.Inner.Processor.Cpuid;
        ulong cr0 = longMap ? m.Image<ulong>(0xFF58) : m.Image<uint>(0xFFFC);
        ulong cr3 = longMap ? m.Image<ulong>(0xFF50) : m.Image<uint>(0xFFF8);
        ulong cr4 = longMap ? m.Image<ulong>(0xFF48) : m.Image<uint>(0xFF14);
        ulong efer = longMap ? m.Image<ulong>(0xFED0) & ~Efer.LMA : m.S->Efer & ~Efer.LMA;
        bool paging = (cr0 & Cr0.PG) != 0, longMode = paging && (efer & Efer.LME) != 0, pae = (cr4 & Cr4.PAE) != 0, pcide = (cr4 & Cr4.PCIDE) != 0;
        if (longMap && (m.Image<ulong>(0xFED8) != 0 || m.Image<uint>(0xFF64) != 0 || m.Image<uint>(0xFF6C) != 0))
        {
            return false;
        }

        if ((efer & ~cpuid.AllowedEfer) != 0 || (cr4 & ~cpuid.AllowedCr4) != 0 || ((pcide ? cr3 & ~0xFFFul : cr3) & cpuid.ReservedAddressBits) != 0)
        {
            return false;
        }

        if (cr0 >> 32 != 0 || (paging && (cr0 & Cr0.PE) == 0) || ((cr0 & Cr0.NW) != 0 && (cr0 & Cr0.CD) == 0))
        {
            return false;
        }

        return longMode ? pae : !pcide && (!paging || !pae || HasPdptes(m, (pcide ? cr3 & ~0xFFFul : cr3) & 0xFFFF_FFE0));
    }

    private static bool HasPdptes(SmmMachine m, ulong address)
    {
        ulong reserved = m.Inner.Processor.Cpuid.ReservedAddressBits | 0x1E6;
        if (address + 32 > (ulong)m.Inner.Bytes)
        {
            return false;
        }

        for (ulong n = 0; n < 4; n++)
        {
            ulong pdpte = *(ulong*)(m.Inner.Ram + address + (8 * n));
            if ((pdpte & 1) != 0 && (pdpte & reserved) != 0)
            {
                return false;
            }
        }

        return true;
    }
}
