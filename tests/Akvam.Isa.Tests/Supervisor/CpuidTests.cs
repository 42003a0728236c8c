using Akvam.Cpu.Cpuid;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Supervisor;

/// <summary>The CPUID table: lookup, bits that follow the state, and what the model offers.</summary>
/// <remarks>Valid for the machine each test makes.</remarks>
public sealed unsafe class CpuidTests
{
    private static CpuidEntry[] Table(bool amd) =>
    [
        amd ? new() { Function = 0, Eax = 7, Ebx = 0x6874_7541, Ecx = 0x444D_4163, Edx = 0x6974_6E65 } : new() { Function = 0, Eax = 7, Ebx = 0x756E_6547, Ecx = 0x6C65_746E, Edx = 0x4965_6E69 },
        new() { Function = 7, Index = 0, Flags = 1, Eax = 0x77 },
        new() { Function = 0x4000_0000, Eax = 0x4000_0001 },
        new() { Function = 0x8000_0000, Eax = 0x8000_0001 },
    ];

    [Theory]
    [InlineData(true, 8u, 0u, 0u)]
    [InlineData(false, 8u, 0u, 0x77u)]
    [InlineData(false, 8u, 1u, 0u)]
    [InlineData(false, 6u, 0u, 0u)]
    [InlineData(false, 0x8000_0002u, 0u, 0x77u)]
    [InlineData(false, 0x8000_0001u, 0u, 0u)]
    [InlineData(false, 0x4000_0001u, 0u, 0u)]
    [InlineData(false, 0x4000_0002u, 0u, 0x77u)]
    [InlineData(true, 0x8000_0002u, 0u, 0u)]
    public void Leaves_that_do_not_exist(bool amd, uint function, uint index, uint eax)
    {
        using var m = new TestMachine();
        m.Processor.Cpuid.SetEntries(Table(amd));
        Assert.Equal(eax, m.Processor.Cpuid.Query(m.State, function, index).Eax);
    }

    [Fact]
    public void XSAVE_sizes_and_OSPKE_follow_the_state()
    {
        using var m = new TestMachine();
        GuestCpuid c = m.Processor.Cpuid;
        c.SetEntries(CpuidModel.Supported());
        m.State->Xcr0 = 1;
        Assert.Equal(576u, c.Query(m.State, 0xD, 0).Ebx);
        m.State->Xcr0 = 0x207;
        Assert.Equal(2696u, c.Query(m.State, 0xD, 0).Ebx);
        Assert.Equal(840u, c.Query(m.State, 0xD, 1).Ebx);
        Assert.Equal(0u, c.Query(m.State, 7, 0).Ecx & 16);
        m.State->Cr4 |= Cr4.PKE;
        Assert.Equal(16u, c.Query(m.State, 7, 0).Ecx & 16);
    }

    [Fact]
    public void Topology_and_frequency_per_processor()
    {
        CpuidEntry[] table = CpuidModel.ForProcessor(CpuidModel.Supported(), apicId: 5, processors: 6, tscKhz: 2_400_000);
        CpuidEntry Leaf(uint function, uint index = 0) => table.Single(e => e.Function == function && e.Index == index);
        Assert.Equal(0x0506_0000u, Leaf(1).Ebx & 0xFFFF_0000);
        Assert.Equal((3u, 6u, 5u), (Leaf(0xB, 1).Eax, Leaf(0xB, 1).Ebx, Leaf(0xB, 1).Edx));
        Assert.Equal(0x3005u, Leaf(0x8000_0008).Ecx);
        Assert.Equal(5u, Leaf(0x8000_001E).Eax);
        Assert.Equal(2_400_000_000ul, (ulong)Leaf(0x15).Ecx * Leaf(0x15).Ebx / Leaf(0x15).Eax);
        Assert.Equal(2400u, Leaf(0x16).Eax);
    }

    [Fact]
    public void Instructions_are_offered_as_CPUID_announces_them()
    {
        var c = new GuestCpuid();
        Assert.True(c.Offers(Iced.Intel.CpuidFeature.BMI2));
        Assert.False(c.Offers(Iced.Intel.CpuidFeature.AVX512F));
        CpuidEntry[] table = CpuidModel.Supported();
        foreach (ref CpuidEntry e in table.AsSpan())
        {
            e.Ebx = e.Function == 7 ? 0 : e.Ebx;
        }

        c.SetEntries(table);
        Assert.False(c.Offers(Iced.Intel.CpuidFeature.BMI2));
        Assert.False(c.Has(Feature.Smep));
        Assert.True(c.Offers(Iced.Intel.CpuidFeature.INTEL386));
        Assert.Equal(48, c.PhysicalAddressBits);
    }
}
