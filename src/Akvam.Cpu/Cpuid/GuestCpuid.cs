using Akvam.Cpu.State;

namespace Akvam.Cpu.Cpuid;

/// <summary>
/// The CPUID table of one processor, as its user set it, and what follows from it: features, address width, allowed bits of control registers.
/// </summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given. Before a table is set every feature this processor has may be used, but none is announced.</remarks>
public sealed unsafe class GuestCpuid
{
    private readonly uint[] _words = new uint[(int)FeatureWord.Count];
    private CpuidEntry[] _entries = [];
    private CpuidEntry[] _usable = [];
    private CpuidEntry[] _supported = CpuidModel.Supported();
    private bool[] _offers;

    public GuestCpuid()
    {
        _offers = InstructionFeatures.Offers(this);
        SetEntries([]);
    }

    public ReadOnlySpan<CpuidEntry> Entries => _entries;

    /// <summary>MAXPHYADDR. [APM2 5.3.2]</summary>
    public int PhysicalAddressBits { get; private set; }

    /// <summary>Bits that no physical address of this guest has.</summary>
    public ulong ReservedAddressBits => ulong.MaxValue << PhysicalAddressBits;

    /// <summary>The vendor string is one whose CPUID answers zeros above the highest leaf: AuthenticAMD, HygonGenuine or AMDisbetter!.</summary>
    public bool IsAmd { get; private set; }

    /// <summary>Bits that CR4 may have.</summary>
    public ulong AllowedCr4 { get; private set; }

    /// <summary>Bits that EFER may have.</summary>
    public ulong AllowedEfer { get; private set; }

    /// <summary>Components of XCR0 that this processor has, whatever the table says.</summary>
    public ulong SupportedXcr0 { get; private set; }

    /// <summary>Components that XCR0 may enable.</summary>
    public ulong AllowedXcr0 { get; private set; }

    /// <summary>Components that IA32_XSS may enable.</summary>
    public ulong AllowedXss { get; private set; }

    /// <summary>Fixed bits of DR6. [SDM3 17.2.3]</summary>
    public ulong Dr6Fixed { get; private set; }

    /// <summary>What this processor has; as long as there is no table it may all be used. The caller makes sure that the processor does not run.</summary>
    public void SetSupported(ReadOnlySpan<CpuidEntry> entries)
    {
        _supported = entries.ToArray();
        SetEntries(_entries);
    }

    /// <summary>Replaces the table. The caller makes sure that the processor does not run.</summary>
    public void SetEntries(ReadOnlySpan<CpuidEntry> entries)
    {
        _entries = entries.ToArray();
        _usable = _entries.Length != 0 ? _entries : _supported;
        for (int w = 0; w < _words.Length; w++)
        {
            _words[w] = ReadWord(_entries, (FeatureWord)w);
        }

        CpuidEntry* e = stackalloc CpuidEntry[1];
        IsAmd = Find(_entries, 0, 0, out *e) && IsAmdVendor(e->Ebx, e->Ecx, e->Edx);
        PhysicalAddressBits = Find(_entries, 0x8000_0000, 0, out *e) && e->Eax >= 0x8000_0008 && Find(_entries, 0x8000_0008, 0, out *e) && (e->Eax & 0xFF) is >= 32 and <= 52
            ? (int)(e->Eax & 0xFF)
            : _entries.Length == 0 ? CpuidModel.PhysicalAddressBits : 36;
        SupportedXcr0 = Find(_supported, 0xD, 0, out *e) ? e->Eax | ((ulong)e->Edx << 32) : XsaveLayout.X87;
        AllowedXcr0 = Find(_usable, 0xD, 0, out *e) ? (e->Eax | ((ulong)e->Edx << 32)) & SupportedXcr0 : XsaveLayout.X87;
        AllowedXss = 0;
        AllowedCr4 = CalculateCr4();
        AllowedEfer = CalculateEfer();
        Dr6Fixed = 0xFFFF_0FF0;
        _offers = InstructionFeatures.Offers(this);
    }

    /// <summary>The guest's table announces the feature.</summary>
    public bool Has(Feature feature) => (_words[(int)feature / 32] & (1u << ((int)feature % 32))) != 0;

    /// <summary>The guest may use the feature: it is announced, or there is no table yet and the processor has it.</summary>
    public bool Allows(Feature feature) =>
        _entries.Length != 0 ? Has(feature) : (ReadWord(_usable, (FeatureWord)((int)feature / 32)) & (1u << ((int)feature % 32))) != 0;

    /// <summary>The guest may execute instructions that belong to <paramref name="feature"/>; they raise #UD otherwise.</summary>
    public bool Offers(Iced.Intel.CpuidFeature feature) => _offers[(int)feature];

    /// <summary>What the CPUID instruction answers, with the bits that follow the processor's state. Leaves that do not exist answer as the vendor's processors do.</summary>
    public CpuidEntry Query(CpuState* s, uint function, uint index)
    {
        if (!Find(_entries, function, index, out CpuidEntry e) && !FindOutOfRange(function, index, out e))
        {
            return Topology(function, index);
        }

        Runtime(s, ref e);
        return e;
    }

    /// <summary>
    /// Intel processors answer a leaf above the highest one of its class with the highest basic leaf; others with zeros. [SDM2 CPUID]
    /// </summary>
    private bool FindOutOfRange(uint function, uint index, out CpuidEntry e)
    {
        e = default;
        if (!Find(_entries, 0, 0, out CpuidEntry basic) || IsAmd)
        {
            return false;
        }

        uint first = function switch
        {
            >= 0x4000_0000 and <= 0x4FFF_FFFF => function & 0xFFFF_FF00,
            >= 0xC000_0000 => 0xC000_0000,
            _ => function & 0x8000_0000,
        };
        return !(Find(_entries, first, 0, out CpuidEntry range) && function <= range.Eax) && Find(_entries, basic.Eax, index, out e);
    }

    /// <summary>Topology leaves beyond the last level keep the level number and the x2APIC ID. [SDM2 CPUID]</summary>
    private CpuidEntry Topology(uint function, uint index) =>
        function is 0xB or 0x1F && Find(_entries, function, 1, out CpuidEntry level) ? new CpuidEntry { Ecx = index & 0xFF, Edx = level.Edx } : default;

    private static void Runtime(CpuState* s, ref CpuidEntry e)
    {
        switch (e.Function)
        {
            case 1:
                SetBit(ref e.Ecx, (int)Feature.Osxsave % 32, (s->Cr4 & Cr4.OSXSAVE) != 0);
                if ((Processor.Of(s).Quirks & ProcessorQuirks.MiscEnableNoMwait) == 0)
                {
                    SetBit(ref e.Ecx, (int)Feature.Monitor % 32, Processor.Of(s).OffersMwait);
                }

                if (Processor.Of(s).Bus.ReadMsr(0x1B, out ulong apicBase) == MsrAccess.Done)
                {
                    SetBit(ref e.Edx, (int)Feature.Apic % 32, (apicBase & (1 << 11)) != 0);
                }

                break;
            case 7 when e.Index == 0:
                SetBit(ref e.Ecx, (int)Feature.Ospke % 32, (s->Cr4 & Cr4.PKE) != 0);
                break;
            case 0xD when e.Index == 0:
                e.Ebx = XsaveLayout.StandardSize(s->Xcr0);
                break;
            case 0xD when e.Index == 1 && (e.Eax & 0xA) != 0:
                e.Ebx = XsaveLayout.CompactedSize(s->Xcr0 | s->Xss);
                break;
        }
    }

    private static void SetBit(ref uint word, int bit, bool value) => word = (word & ~(1u << bit)) | (value ? 1u << bit : 0);

    private ulong CalculateCr4()
    {
        ulong v = 0;
        v |= Allows(Feature.Vme) ? Cr4.VME | Cr4.PVI : 0;
        v |= Allows(Feature.Tsc) ? Cr4.TSD : 0;
        v |= Allows(Feature.De) ? Cr4.DE : 0;
        v |= Allows(Feature.Pse) ? Cr4.PSE : 0;
        v |= Allows(Feature.Pae) ? Cr4.PAE : 0;
        v |= Allows(Feature.Mce) ? Cr4.MCE : 0;
        v |= Allows(Feature.Pge) ? Cr4.PGE : 0;
        v |= Cr4.PCE;
        v |= Allows(Feature.Fxsr) ? Cr4.OSFXSR : 0;
        v |= Allows(Feature.Sse) ? Cr4.OSXMMEXCPT : 0;
        v |= Allows(Feature.Umip) ? Cr4.UMIP : 0;
        v |= Allows(Feature.La57) ? Cr4.LA57 : 0;
        v |= Allows(Feature.FsGsBase) ? Cr4.FSGSBASE : 0;
        v |= Allows(Feature.Pcid) ? Cr4.PCIDE : 0;
        v |= Allows(Feature.Xsave) ? Cr4.OSXSAVE : 0;
        v |= Allows(Feature.Smep) ? Cr4.SMEP : 0;
        v |= Allows(Feature.Smap) ? Cr4.SMAP : 0;
        v |= Allows(Feature.Pku) ? Cr4.PKE : 0;
        return v;
    }

    private ulong CalculateEfer()
    {
        ulong v = Efer.SCE;
        v |= Allows(Feature.Lm) ? Efer.LME | Efer.LMA : 0;
        v |= Allows(Feature.Nx) ? Efer.NXE : 0;
        v |= Allows(Feature.Svm) ? Efer.SVME : 0;
        v |= Allows(Feature.FxsrOpt) ? Efer.FFXSR : 0;
        v |= Allows(Feature.AutoIbrs) ? Efer.AIBRSE : 0;
        return v;
    }

    private static uint ReadWord(CpuidEntry[] entries, FeatureWord word)
    {
        (uint function, uint index, int register) = word switch
        {
            FeatureWord.Leaf1Edx => (1u, 0u, 3),
            FeatureWord.Leaf1Ecx => (1u, 0u, 2),
            FeatureWord.Leaf7Ebx => (7u, 0u, 1),
            FeatureWord.Leaf7Ecx => (7u, 0u, 2),
            FeatureWord.Leaf7Edx => (7u, 0u, 3),
            FeatureWord.LeafD1Eax => (0xDu, 1u, 0),
            FeatureWord.Leaf80000001Edx => (0x8000_0001, 0u, 3),
            FeatureWord.Leaf80000001Ecx => (0x8000_0001, 0u, 2),
            FeatureWord.Leaf80000008Ebx => (0x8000_0008, 0u, 1),
            FeatureWord.Leaf80000021Eax => (0x8000_0021, 0u, 0),
            FeatureWord.Leaf8000000AEdx => (0x8000_000A, 0u, 3),
            _ => (6u, 0u, 0),
        };
        return !Find(entries, function, index, out CpuidEntry e) ? 0 : register switch
        {
            0 => e.Eax,
            1 => e.Ebx,
            2 => e.Ecx,
            _ => e.Edx,
        };
    }

    private static bool IsAmdVendor(uint ebx, uint ecx, uint edx) =>
        (ebx, edx, ecx) is (0x68747541, 0x69746E65, 0x444D4163) or (0x6F677948, 0x6E65476E, 0x656E6975) or (0x69444D41, 0x74656273, 0x21726574);

    private static bool Find(CpuidEntry[] entries, uint function, uint index, out CpuidEntry found)
    {
        foreach (ref readonly CpuidEntry e in entries.AsSpan())
        {
            if (e.Function == function && (e.Index == index || !e.HasIndex))
            {
                found = e;
                return true;
            }
        }

        found = default;
        return false;
    }
}
