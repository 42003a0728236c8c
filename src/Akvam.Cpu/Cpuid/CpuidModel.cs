using System.Buffers.Binary;
using System.Text;
using Akvam.Cpu.Native;
using Iced.Intel;

namespace Akvam.Cpu.Cpuid;

/// <summary>
/// The processor that Akvam offers: an AMD EPYC-class model with everything it implements itself, and the data instructions that the host executes.
/// </summary>
public static class CpuidModel
{
    /// <summary>MAXPHYADDR of the model.</summary>
    public const int PhysicalAddressBits = 48;

    public const int LinearAddressBits = 57;

    /// <summary>Highest leaf with content (TSC and processor frequency).</summary>
    private const uint LastBasic = 0x16;
    private const uint LastExtended = 0x8000_0021;

    /// <summary>Family 19h, model 01h, stepping 1. [APM3 E.3.2]</summary>
    private const uint Signature = 0x00A0_0F11;

    /// <summary>Components of XCR0 that the processor has on this host.</summary>
    public static ulong SupportedXcr0 =>
        XsaveLayout.X87 | XsaveLayout.Sse | XsaveLayout.Pkru | (HostFeatures.Has(CpuidFeature.AVX) ? XsaveLayout.Avx : 0);

    /// <summary>The leaves this processor supports (KVM_GET_SUPPORTED_CPUID without the hypervisor's own), for APIC ID 0 of a single processor.</summary>
    /// <param name="nested">SVM too, so that the guest can be a hypervisor.</param>
    /// <param name="protectionKeys">PKU, and its component of XSAVE areas.</param>
    public static CpuidEntry[] Supported(bool nested = false, bool protectionKeys = true)
    {
        List<CpuidEntry> e = [];
        AddVendor(e, 0, LastBasic);
        Add(e, 1, eax: Signature, ebx: 8u << 8, ecx: Host1Ecx | Software1Ecx, edx: Host1Edx | Software1Edx);
        Add(e, 5);
        Add(e, 6, eax: Bits(Feature.Arat));
        AddIndexed(e, 7, 0, ebx: Host7Ebx | Software7Ebx, ecx: Host7Ecx | Bits(Feature.Umip, Feature.La57, Feature.Rdpid) | (protectionKeys ? Bits(Feature.Pku) : 0), edx: Bits(Feature.Fsrm));
        AddIndexed(e, 0xB, 0);
        AddIndexed(e, 0xB, 1, ecx: 1);
        AddXsave(e, protectionKeys ? SupportedXcr0 : SupportedXcr0 & ~XsaveLayout.Pkru);
        Add(e, 0x15);
        Add(e, 0x16);
        AddVendor(e, 0x8000_0000, LastExtended);
        Add(e, 0x8000_0001, eax: Signature, ecx: OnHost(CpuidFeature.SSE4A, Feature.Sse4a) | Software80000001Ecx | (nested ? Bits(Feature.Svm) : 0), edx: Software80000001Edx);
        AddBrand(e);

        // Caches: 32 KiB L1D and L1I, 512 KiB L2, 32 MiB L3. [APM3 E.4.4, E.4.5]
        Add(e, 0x8000_0005, eax: 0xFF40_FF40, ebx: 0xFF40_FF40, ecx: 0x2008_0140, edx: 0x2008_0140);
        Add(e, 0x8000_0006, eax: 0x4800_6400, ebx: 0x6800_6400, ecx: 0x0200_6140, edx: 0x0100_9140);
        Add(e, 0x8000_0007, edx: 1 << 8);
        Add(e, 0x8000_0008, eax: PhysicalAddressBits | (LinearAddressBits << 8), ebx: Bits(Feature.ClZero, Feature.Wbnoinvd, Feature.Ibpb, Feature.SsbNo, Feature.BtcNo));
        if (nested)
        {
            // Revision and number of ASIDs.
            Add(e, 0x8000_000A, eax: 1, ebx: 8, edx: Bits(Feature.NextRipSave, Feature.VmcbClean, Feature.FlushByAsid, Feature.SvmeAddressCheck));
        }
        else
        {
            Add(e, 0x8000_000A);
        }

        AddIndexed(e, 0x8000_001D, 0, eax: 0x121, ebx: 0x01C0_003F, ecx: 63);
        AddIndexed(e, 0x8000_001D, 1, eax: 0x122, ebx: 0x01C0_003F, ecx: 63);
        AddIndexed(e, 0x8000_001D, 2, eax: 0x143, ebx: 0x01C0_003F, ecx: 1023);
        AddIndexed(e, 0x8000_001D, 3, eax: 0x163, ebx: 0x03C0_003F, ecx: 32767);
        AddIndexed(e, 0x8000_001D, 4);
        Add(e, 0x8000_001E);
        Add(e, LastExtended, eax: Bits(Feature.NoNestedDataBreakpoint, Feature.LfenceSerializing, Feature.AutoIbrs, Feature.SrsoNo));
        return [.. e];
    }

    /// <summary>A table for one of several processors (all cores of one package): APIC IDs, topology and TSC frequency filled in.</summary>
    /// <param name="table">Leaves to start from, as <see cref="Supported"/> or KVM_GET_SUPPORTED_CPUID gives them.</param>
    /// <param name="apicId">APIC ID of the processor.</param>
    /// <param name="processors">Number of processors of the machine, 1 or more.</param>
    /// <param name="tscKhz">Frequency of the guest's TSC in kHz.</param>
    public static CpuidEntry[] ForProcessor(ReadOnlySpan<CpuidEntry> table, uint apicId, int processors, uint tscKhz)
    {
        CpuidEntry[] entries = table.ToArray();
        uint shift = (uint)(32 - uint.LeadingZeroCount((uint)processors - 1));
        foreach (ref CpuidEntry e in entries.AsSpan())
        {
            switch (e.Function)
            {
                case 1:
                    e.Ebx = (e.Ebx & 0x0000_FFFF) | ((uint)Math.Min(processors, 255) << 16) | (apicId << 24);
                    e.Edx = processors > 1 ? e.Edx | Bits(Feature.Htt) : e.Edx & ~Bits(Feature.Htt);
                    break;
                case 0xB or 0x1F:
                    e.Eax = e.Index == 0 ? 0 : shift;
                    e.Ebx = e.Index == 0 ? 1 : (uint)processors;
                    e.Ecx = e.Index == 0 ? 0x100u : 0x200u | e.Index;
                    e.Edx = apicId;
                    break;
                case 0x15:
                    // TSC = crystal * EBX / EAX, with a crystal as fast as the TSC.
                    (e.Eax, e.Ebx, e.Ecx) = tscKhz <= uint.MaxValue / 1000 ? (1u, 1u, tscKhz * 1000) : (1u, 1000u, tscKhz);
                    break;
                case 0x16:
                    e.Eax = e.Ebx = tscKhz / 1000;
                    e.Ecx = 100;
                    break;
                case 0x8000_0001 when processors > 1:
                    e.Ecx |= Bits(Feature.CmpLegacy);
                    break;
                case 0x8000_0008:
                    e.Ecx = ((uint)processors - 1) | (shift << 12);
                    break;
                case 0x8000_001D when e.Index == 3:
                    e.Eax = (e.Eax & 0xFFFF) | (((uint)processors - 1) << 14);
                    break;
                case 0x8000_001E:
                    e.Eax = apicId;
                    e.Ebx = apicId & 0xFF;
                    break;
            }
        }

        return entries;
    }

    private static uint Host1Edx => OnHost(CpuidFeature.FPU, Feature.Fpu) | OnHost(CpuidFeature.MMX, Feature.Mmx) | OnHost(CpuidFeature.FXSR, Feature.Fxsr)
        | OnHost(CpuidFeature.SSE, Feature.Sse) | OnHost(CpuidFeature.SSE2, Feature.Sse2);

    private static uint Host1Ecx => OnHost(CpuidFeature.SSE3, Feature.Sse3) | OnHost(CpuidFeature.PCLMULQDQ, Feature.Pclmulqdq) | OnHost(CpuidFeature.SSSE3, Feature.Ssse3)
        | OnHost(CpuidFeature.FMA, Feature.Fma) | OnHost(CpuidFeature.SSE4_1, Feature.Sse41) | OnHost(CpuidFeature.SSE4_2, Feature.Sse42) | OnHost(CpuidFeature.AES, Feature.Aes)
        | OnHost(CpuidFeature.AVX, Feature.Avx) | OnHost(CpuidFeature.F16C, Feature.F16c);

    private static uint Host7Ebx => OnHost(CpuidFeature.AVX2, Feature.Avx2) | OnHost(CpuidFeature.SHA, Feature.Sha);

    private static uint Host7Ecx => OnHost(CpuidFeature.GFNI, Feature.Gfni) | OnHost(CpuidFeature.VAES, Feature.Vaes) | OnHost(CpuidFeature.VPCLMULQDQ, Feature.Vpclmulqdq);

    /// <summary>The bit, if the host executes the family: data instructions are offered only then.</summary>
    private static uint OnHost(CpuidFeature family, Feature feature) => HostFeatures.Has(family) ? Bits(feature) : 0;

    private static uint Software1Edx => Bits(
        Feature.Vme, Feature.De, Feature.Pse, Feature.Tsc, Feature.Msr, Feature.Pae, Feature.Mce, Feature.Cx8, Feature.Apic, Feature.Sep, Feature.Mtrr, Feature.Pge, Feature.Mca,
        Feature.Cmov, Feature.Pat, Feature.Pse36, Feature.ClFlush);

    private static uint Software1Ecx => Bits(
        Feature.Cx16, Feature.Pcid, Feature.X2apic, Feature.Movbe, Feature.Popcnt, Feature.TscDeadline, Feature.Xsave, Feature.Rdrand, Feature.Hypervisor);

    private static uint Software7Ebx => Bits(
        Feature.FsGsBase, Feature.TscAdjust, Feature.Bmi1, Feature.Smep, Feature.Bmi2, Feature.Erms, Feature.Invpcid, Feature.Rdseed, Feature.Adx, Feature.Smap, Feature.ClFlushOpt, Feature.Clwb);

    /// <summary>AMD repeats the bits of leaf 1 that both have. [APM3 E.4.2]</summary>
    private static uint Software80000001Edx => ((Host1Edx | Software1Edx) & 0x0183_F3FF)
        | OnHost(CpuidFeature.SSE, Feature.MmxExt) | Bits(Feature.Syscall, Feature.Nx, Feature.Pdpe1Gb, Feature.Rdtscp, Feature.Lm);

    private static uint Software80000001Ecx => Bits(Feature.LahfLm, Feature.ExtApic, Feature.Abm, Feature.Prefetchw, Feature.TopologyExtensions);

    /// <summary>The word with these bits, which all belong to one word.</summary>
    private static uint Bits(params ReadOnlySpan<Feature> features)
    {
        uint word = 0;
        foreach (Feature f in features)
        {
            word |= 1u << ((int)f % 32);
        }

        return word;
    }

    private static void Add(List<CpuidEntry> to, uint function, uint eax = 0, uint ebx = 0, uint ecx = 0, uint edx = 0) =>
        to.Add(new CpuidEntry { Function = function, Eax = eax, Ebx = ebx, Ecx = ecx, Edx = edx });

    private static void AddIndexed(List<CpuidEntry> to, uint function, uint index, uint eax = 0, uint ebx = 0, uint ecx = 0, uint edx = 0) =>
        to.Add(new CpuidEntry { Function = function, Index = index, Flags = CpuidEntry.KVM_CPUID_FLAG_SIGNIFCANT_INDEX, Eax = eax, Ebx = ebx, Ecx = ecx, Edx = edx });

    private static void AddVendor(List<CpuidEntry> to, uint function, uint last) => Add(to, function, last, ebx: 0x6874_7541, ecx: 0x444D_4163, edx: 0x6974_6E65);

    private static void AddXsave(List<CpuidEntry> to, ulong xcr0)
    {
        AddIndexed(to, 0xD, 0, eax: (uint)xcr0, ebx: XsaveLayout.BaseSize, ecx: XsaveLayout.StandardSize(xcr0));
        AddIndexed(to, 0xD, 1, eax: Bits(Feature.XsaveOpt, Feature.XsaveC, Feature.Xgetbv1, Feature.XsaveS), ebx: XsaveLayout.BaseSize);
        if ((xcr0 & XsaveLayout.Avx) != 0)
        {
            AddIndexed(to, 0xD, 2, eax: XsaveLayout.AvxSize, ebx: XsaveLayout.AvxOffset);
        }

        if ((xcr0 & XsaveLayout.Pkru) != 0)
        {
            AddIndexed(to, 0xD, 9, eax: XsaveLayout.PkruSize, ebx: XsaveLayout.PkruOffset);
        }
    }

    private static void AddBrand(List<CpuidEntry> to)
    {
        Span<byte> brand = stackalloc byte[48];
        brand.Clear();
        Encoding.ASCII.GetBytes("Akvam Processor", brand);
        for (uint leaf = 0; leaf < 3; leaf++)
        {
            ReadOnlySpan<byte> part = brand[(int)(leaf * 16)..];
            Add(
                to,
                0x8000_0002 + leaf,
                BinaryPrimitives.ReadUInt32LittleEndian(part),
                BinaryPrimitives.ReadUInt32LittleEndian(part[4..]),
                BinaryPrimitives.ReadUInt32LittleEndian(part[8..]),
                BinaryPrimitives.ReadUInt32LittleEndian(part[12..]));
        }
    }
}
