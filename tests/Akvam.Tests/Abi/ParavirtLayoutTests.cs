using Akvam.Abi;

namespace Akvam.Tests.Abi;

/// <summary>The guest's kvmclock structures, which no exported header has, against the numbers of [KVM msr.rst].</summary>
public sealed class ParavirtLayoutTests
{
    [Theory]
    [InlineData("version", 0)]
    [InlineData("pad0", 4)]
    [InlineData("tsc_timestamp", 8)]
    [InlineData("system_time", 16)]
    [InlineData("tsc_to_system_mul", 24)]
    [InlineData("tsc_shift", 28)]
    [InlineData("flags", 29)]
    [InlineData("pad", 30)]
    public void Time_info_has_the_documented_offsets(string field, ulong offset) =>
        Assert.Equal(offset, AbiReflection.OffsetOf(typeof(pvclock_vcpu_time_info), typeof(pvclock_vcpu_time_info).GetField(field)!));

    [Theory]
    [InlineData("version", 0)]
    [InlineData("sec", 4)]
    [InlineData("nsec", 8)]
    public void Wall_clock_has_the_documented_offsets(string field, ulong offset) =>
        Assert.Equal(offset, AbiReflection.OffsetOf(typeof(pvclock_wall_clock), typeof(pvclock_wall_clock).GetField(field)!));

    [Fact]
    public void Sizes_and_flags_are_the_documented_ones()
    {
        Assert.Equal(32UL, AbiReflection.SizeOf(typeof(pvclock_vcpu_time_info)));
        Assert.Equal(12UL, AbiReflection.SizeOf(typeof(pvclock_wall_clock)));
        Assert.Equal(1, KvmPara.PVCLOCK_TSC_STABLE_BIT);
        Assert.Equal(2, KvmPara.PVCLOCK_GUEST_STOPPED);
    }
}
