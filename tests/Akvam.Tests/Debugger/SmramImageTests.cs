using System.Reflection;
using System.Runtime.InteropServices;
using Akvam.Cpu.Smm;
using Akvam.Debugger.Smram;

namespace Akvam.Tests.Debugger;

/// <summary>State-save images as the inspector reads them: against the processor's own types and an image that another emulator made.</summary>
public sealed class SmramImageTests
{
    public static TheoryData<SmramFormat> Formats() => [.. Enum.GetValues<SmramFormat>()];

    public static TheoryData<SmramFormat> Narrow() => [.. Enum.GetValues<SmramFormat>().Where(f => f != SmramFormat.Amd64)];

    [Theory]
    [MemberData(nameof(Formats))]
    public void FieldsDoNotOverlapAndHaveNamesOfTheirOwn(SmramFormat format)
    {
        var owner = new string?[SmramImage.Size];
        foreach (SmramField field in SmramMaps.Fields(format))
        {
            for (int i = 0; i < field.Width; i++)
            {
                Assert.Null(owner[field.Offset - SmramImage.Start + i]);
                owner[field.Offset - SmramImage.Start + i] = field.Name;
            }
        }

        Assert.Equal(SmramMaps.Fields(format).Length, SmramMaps.Fields(format).Select(f => f.Name).Distinct().Count());
    }

    [Theory]
    [InlineData(SmramFormat.Amd64, typeof(SmramStateMap64))]
    [InlineData(SmramFormat.Kvm32, typeof(SmramStateMap32))]
    public void EveryFieldOfTheProcessorIsShownAndNothingElse(SmramFormat format, Type map)
    {
        HashSet<int> own = [.. map.GetFields(BindingFlags.Public | BindingFlags.Instance).SelectMany(Starts)];
        HashSet<int> shown = [.. SmramMaps.Fields(format).Where(f => f.Segment is null).Select(f => f.Offset)];
        shown.UnionWith(SmramMaps.Fields(format).Where(f => f.Kind == SmramFieldKind.Limit).Select(f => f.Offset - 4));
        shown.UnionWith(SmramMaps.Fields(format).Where(f => f.Kind == SmramFieldKind.Selector && format != SmramFormat.Amd64).Select(f => f.Offset));
        Assert.Equal(own.Order(), shown.Order());
    }

    [Fact]
    public void AnImageOfQemuIsRead()
    {
        byte[] bytes = SmramSamples.Qemu();
        Assert.Equal(SmramFormat.Qemu32, SmramDetector.Detect(bytes));
        var image = new SmramImage(bytes, SmramFormat.Qemu32);
        string[] registers = ["EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI"];
        Assert.Equal(Enumerable.Range(1, 8).Select(n => 0xA000_0000ul + (ulong)n), registers.Select(name => image[name]));
        Assert.Equal((0xF00B3ul, 0x447ul, 0x6000_0011ul, 0x12345ul, 0x10ul), (image["EIP"], image["EFLAGS"], image["CR0"], image["CR3"], image["CR4"]));
        Assert.Equal((0x3_0000ul, 0x0002_0000ul), (image["SMBASE"], image["revision"]));
        (string, ulong, ulong, ulong, ulong)[] segments =
        [
            ("ES", 0x18, 0x4093, 0x1FFF, 0x2_0000), ("CS", 8, 0xC09B, 0xFFFF_FFFF, 0), ("SS", 0x20, 0xC093, 0xFFFF_FFFF, 0xF_0000), ("DS", 0x10, 0xC093, 0xFFFF_FFFF, 0x1000),
            ("FS", 0x2B, 0x80F3, 0xFFF_FFFF, 0x44_4000), ("GS", 0, 0, 0, 0), ("LDTR", 0x38, 0x82, 0xFF, 0x6_6000), ("TR", 0x30, 0x89, 0x67, 0x5_5000),
        ];
        Assert.Equal(segments, segments.Select(s => (s.Item1, image[$"{s.Item1}.selector"], image[$"{s.Item1}.rights"], image[$"{s.Item1}.limit"], image[$"{s.Item1}.base"])));
        Assert.Equal((0x3Ful, 0xF00D0ul, 0x123ul, 0x98765ul), (image["GDTR.limit"], image["GDTR.base"], image["IDTR.limit"], image["IDTR.base"]));
        Assert.Equal("32-bit protected mode", SmramText.Mode(image));
        Assert.Empty(image.ReservedBytesInUse());
        Assert.Empty(SmramChecks.Problems(image));
    }

    [Theory]
    [MemberData(nameof(Narrow))]
    public void Seed0_10_ConvertedThereAndBackAnImageIsTheSame(SmramFormat format)
    {
        var image = new SmramImage(SmramSamples.Qemu(), SmramFormat.Qemu32);
        SmramImage converted = SmramConverter.Convert(image, format, out IReadOnlyList<string> lost);
        Assert.Empty(lost);
        Assert.Equal(format, SmramDetector.Detect(converted.Bytes));
        SmramImage back = SmramConverter.Convert(new SmramImage(converted.Bytes, format), SmramFormat.Qemu32, out lost);
        Assert.Empty(lost);
        Assert.Equal(image.Bytes, back.Bytes);
    }

    /// <summary>The dword of DS's attributes and, in two formats, its selector, as each format has it.</summary>
    [Theory]
    [InlineData(SmramFormat.Kvm32, 0x00C0_9300u)]
    [InlineData(SmramFormat.Qemu32, 0x0000_C093u)]
    [InlineData(SmramFormat.Bochs32, 0xC193_0010u)]
    [InlineData(SmramFormat.P6, 0xC093_0010u)]
    public void Seed0_10_AttributesArePackedAsTheFormatHasThem(SmramFormat format, uint expected)
    {
        SmramImage converted = SmramConverter.Convert(new SmramImage(SmramSamples.Qemu(), SmramFormat.Qemu32), format, out _);
        Assert.Equal(expected, BitConverter.ToUInt32(converted.Bytes[(0xFF2C - SmramImage.Start)..]));
        Assert.Equal(0x10, BitConverter.ToUInt16(converted.Bytes[(0xFFB4 - SmramImage.Start)..]));
    }

    [Fact]
    public void WhatTheOtherFormatCannotHoldIsNamed()
    {
        var image = new SmramImage(new byte[SmramImage.Size], SmramFormat.Kvm32);
        image.Write(SmramMaps.Find(SmramFormat.Kvm32, "interrupt shadow")!, 2);
        image.Write(SmramMaps.Find(SmramFormat.Kvm32, "SS.rights")!, 0xC0F3);
        SmramImage p6 = SmramConverter.Convert(image, SmramFormat.P6, out IReadOnlyList<string> lost);
        Assert.Equal(["interrupt shadow"], lost);
        Assert.Equal(3ul, p6["CPL"]);
        Assert.Throws<SmramException>(() => SmramConverter.Convert(image, SmramFormat.Amd64, out _));
    }

    [Fact]
    public void WhatRsmRefusesIsFound()
    {
        var image = new SmramImage(new byte[SmramImage.Size], SmramFormat.Amd64);
        Assert.Empty(SmramChecks.Problems(image));
        image.Write(SmramMaps.Find(SmramFormat.Amd64, "CR0")!, 0x1_A000_0000);
        image.Write(SmramMaps.Find(SmramFormat.Amd64, "CR4")!, 1 << 17);
        image.Write(SmramMaps.Find(SmramFormat.Amd64, "DR7")!, 1ul << 40);
        image.Write(SmramMaps.Find(SmramFormat.Amd64, "EFER")!, 0x100);
        image.Write(SmramMaps.Find(SmramFormat.Amd64, "SVM guest flag")!, 1);
        Assert.Equal(
            ["CR0.PG without CR0.PE", "CR0.NW without CR0.CD", "CR0 above bit 31", "DR7 above bit 31", "long mode without CR4.PAE", "an SVM guest without EFER.SVME"],
            SmramChecks.Problems(image));
    }

    [Theory]
    [InlineData(0x0003_0100u)]
    [InlineData(0x0002_0042u)]
    [InlineData(0x0002_0000u)]
    public void WhatIsNoKnownImageIsRefused(uint revision)
    {
        var bytes = new byte[SmramImage.Size];
        BitConverter.TryWriteBytes(bytes.AsSpan(0xFC), revision);
        Assert.Throws<SmramException>(() => SmramDetector.Detect(bytes));
    }

    /// <summary>Where a field of the processor's types, or each element of one, starts.</summary>
    private static IEnumerable<int> Starts(FieldInfo field)
    {
        int at = SmramImage.Start + (int)Marshal.OffsetOf(field.DeclaringType!, field.Name);
        return field.Name switch
        {
            "Gprs" when field.DeclaringType == typeof(SmramStateMap64) => Enumerable.Range(0, 16).Select(n => at + (8 * n)),
            "Gprs" => Enumerable.Range(0, 8).Select(n => at + (4 * n)),
            _ => [at],
        };
    }
}
