using System.Runtime.InteropServices;
using Akvam.Cpu.Smm;

namespace Akvam.Tests.Smm;

/// <summary>Every field of the SMRAM images at its published offset from SMBASE. The numbers are typed from the manuals' tables, not taken from the code.</summary>
public sealed class SmramLayoutTests
{
    [Theory]
    [InlineData(nameof(SmramStateMap64.Es), 0xFE00)]
    [InlineData(nameof(SmramStateMap64.Cs), 0xFE10)]
    [InlineData(nameof(SmramStateMap64.Ss), 0xFE20)]
    [InlineData(nameof(SmramStateMap64.Ds), 0xFE30)]
    [InlineData(nameof(SmramStateMap64.Fs), 0xFE40)]
    [InlineData(nameof(SmramStateMap64.Gs), 0xFE50)]
    [InlineData(nameof(SmramStateMap64.Gdtr), 0xFE60)]
    [InlineData(nameof(SmramStateMap64.Ldtr), 0xFE70)]
    [InlineData(nameof(SmramStateMap64.Idtr), 0xFE80)]
    [InlineData(nameof(SmramStateMap64.Tr), 0xFE90)]
    [InlineData(nameof(SmramStateMap64.IoRestartRip), 0xFEA0)]
    [InlineData(nameof(SmramStateMap64.IoRestartRcx), 0xFEA8)]
    [InlineData(nameof(SmramStateMap64.IoRestartRsi), 0xFEB0)]
    [InlineData(nameof(SmramStateMap64.IoRestartRdi), 0xFEB8)]
    [InlineData(nameof(SmramStateMap64.IoTrap), 0xFEC0)]
    [InlineData(nameof(SmramStateMap64.LocalSmiStatus), 0xFEC4)]
    [InlineData(nameof(SmramStateMap64.IoInstructionRestart), 0xFEC8)]
    [InlineData(nameof(SmramStateMap64.AutoHaltRestart), 0xFEC9)]
    [InlineData(nameof(SmramStateMap64.NmiMask), 0xFECA)]
    [InlineData(nameof(SmramStateMap64.InterruptShadow), 0xFECB)]
    [InlineData(nameof(SmramStateMap64.PendingDebug), 0xFECC)]
    [InlineData(nameof(SmramStateMap64.Efer), 0xFED0)]
    [InlineData(nameof(SmramStateMap64.SvmGuestFlag), 0xFED8)]
    [InlineData(nameof(SmramStateMap64.SvmGuestVmcb), 0xFEE0)]
    [InlineData(nameof(SmramStateMap64.SvmGuestVirtualInterrupt), 0xFEE8)]
    [InlineData(nameof(SmramStateMap64.Revision), 0xFEFC)]
    [InlineData(nameof(SmramStateMap64.Smbase), 0xFF00)]
    [InlineData(nameof(SmramStateMap64.Ssp), 0xFF18)]
    [InlineData(nameof(SmramStateMap64.SvmGuestPat), 0xFF20)]
    [InlineData(nameof(SmramStateMap64.SvmHostEfer), 0xFF28)]
    [InlineData(nameof(SmramStateMap64.SvmHostCr4), 0xFF30)]
    [InlineData(nameof(SmramStateMap64.SvmHostNestedCr3), 0xFF38)]
    [InlineData(nameof(SmramStateMap64.SvmHostCr0), 0xFF40)]
    [InlineData(nameof(SmramStateMap64.Cr4), 0xFF48)]
    [InlineData(nameof(SmramStateMap64.Cr3), 0xFF50)]
    [InlineData(nameof(SmramStateMap64.Cr0), 0xFF58)]
    [InlineData(nameof(SmramStateMap64.Dr7), 0xFF60)]
    [InlineData(nameof(SmramStateMap64.Dr6), 0xFF68)]
    [InlineData(nameof(SmramStateMap64.Rflags), 0xFF70)]
    [InlineData(nameof(SmramStateMap64.Rip), 0xFF78)]
    [InlineData(nameof(SmramStateMap64.Gprs), 0xFF80)]
    public void Field_of_the_64_bit_map(string field, int offset) =>
        Assert.Equal(offset - 0xFE00, (int)Marshal.OffsetOf<SmramStateMap64>(field));

    [Theory]
    [InlineData(nameof(SmramStateMap32.Smbase), 0xFEF8)]
    [InlineData(nameof(SmramStateMap32.Revision), 0xFEFC)]
    [InlineData(nameof(SmramStateMap32.IoInstructionRestart), 0xFF00)]
    [InlineData(nameof(SmramStateMap32.AutoHaltRestart), 0xFF02)]
    [InlineData(nameof(SmramStateMap32.IoRestartEdi), 0xFF04)]
    [InlineData(nameof(SmramStateMap32.IoRestartEcx), 0xFF08)]
    [InlineData(nameof(SmramStateMap32.IoRestartEsi), 0xFF0C)]
    [InlineData(nameof(SmramStateMap32.IoRestartEip), 0xFF10)]
    [InlineData(nameof(SmramStateMap32.Cr4), 0xFF14)]
    [InlineData(nameof(SmramStateMap32.InterruptShadow), 0xFF1A)]
    [InlineData(nameof(SmramStateMap32.PendingDebug), 0xFF24)]
    [InlineData(nameof(SmramStateMap32.Ds), 0xFF2C)]
    [InlineData(nameof(SmramStateMap32.Fs), 0xFF38)]
    [InlineData(nameof(SmramStateMap32.Gs), 0xFF44)]
    [InlineData(nameof(SmramStateMap32.Idtr), 0xFF50)]
    [InlineData(nameof(SmramStateMap32.Tr), 0xFF5C)]
    [InlineData(nameof(SmramStateMap32.Gdtr), 0xFF6C)]
    [InlineData(nameof(SmramStateMap32.Ldtr), 0xFF78)]
    [InlineData(nameof(SmramStateMap32.Es), 0xFF84)]
    [InlineData(nameof(SmramStateMap32.Cs), 0xFF90)]
    [InlineData(nameof(SmramStateMap32.Ss), 0xFF9C)]
    [InlineData(nameof(SmramStateMap32.EsSelector), 0xFFA8)]
    [InlineData(nameof(SmramStateMap32.CsSelector), 0xFFAC)]
    [InlineData(nameof(SmramStateMap32.SsSelector), 0xFFB0)]
    [InlineData(nameof(SmramStateMap32.DsSelector), 0xFFB4)]
    [InlineData(nameof(SmramStateMap32.FsSelector), 0xFFB8)]
    [InlineData(nameof(SmramStateMap32.GsSelector), 0xFFBC)]
    [InlineData(nameof(SmramStateMap32.LdtrSelector), 0xFFC0)]
    [InlineData(nameof(SmramStateMap32.TrSelector), 0xFFC4)]
    [InlineData(nameof(SmramStateMap32.Dr7), 0xFFC8)]
    [InlineData(nameof(SmramStateMap32.Dr6), 0xFFCC)]
    [InlineData(nameof(SmramStateMap32.Gprs), 0xFFD0)]
    [InlineData(nameof(SmramStateMap32.Eip), 0xFFF0)]
    [InlineData(nameof(SmramStateMap32.Eflags), 0xFFF4)]
    [InlineData(nameof(SmramStateMap32.Cr3), 0xFFF8)]
    [InlineData(nameof(SmramStateMap32.Cr0), 0xFFFC)]
    public void Field_of_the_32_bit_map(string field, int offset) =>
        Assert.Equal(offset - 0xFE00, (int)Marshal.OffsetOf<SmramStateMap32>(field));

    [Fact]
    public void Every_field_has_an_offset_test()
    {
        Assert.Equal(Tested(nameof(Field_of_the_64_bit_map)), Fields<SmramStateMap64>());
        Assert.Equal(Tested(nameof(Field_of_the_32_bit_map)), Fields<SmramStateMap32>());
    }

    [Fact]
    public void Sizes_and_segment_records()
    {
        Assert.Equal(512, Marshal.SizeOf<SmramStateMap64>());
        Assert.Equal(512, Marshal.SizeOf<SmramStateMap32>());
        Assert.Equal(16, Marshal.SizeOf<SmramSegment64>());
        Assert.Equal(0, (int)Marshal.OffsetOf<SmramSegment64>(nameof(SmramSegment64.Selector)));
        Assert.Equal(2, (int)Marshal.OffsetOf<SmramSegment64>(nameof(SmramSegment64.Attributes)));
        Assert.Equal(4, (int)Marshal.OffsetOf<SmramSegment64>(nameof(SmramSegment64.Limit)));
        Assert.Equal(8, (int)Marshal.OffsetOf<SmramSegment64>(nameof(SmramSegment64.Base)));
        Assert.Equal(12, Marshal.SizeOf<SmramSegment32>());
        Assert.Equal(0, (int)Marshal.OffsetOf<SmramSegment32>(nameof(SmramSegment32.Flags)));
        Assert.Equal(4, (int)Marshal.OffsetOf<SmramSegment32>(nameof(SmramSegment32.Limit)));
        Assert.Equal(8, (int)Marshal.OffsetOf<SmramSegment32>(nameof(SmramSegment32.Base)));
    }

    private static IEnumerable<string> Fields<T>() => typeof(T).GetFields().Where(f => !f.IsStatic).Select(f => f.Name).Order();

    private static IEnumerable<string> Tested(string method) =>
        typeof(SmramLayoutTests).GetMethod(method)!.GetCustomAttributes(typeof(InlineDataAttribute), false).Select(a => (string)((InlineDataAttribute)a).Data[0]!).Order();
}
