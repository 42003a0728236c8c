using Akvam.Debugger.Smram;

namespace Akvam.Tests.Debugger;

/// <summary>Images for tests.</summary>
internal static class SmramSamples
{
    /// <summary>
    /// Saved by QEMU 7.2's own processor (qemu-system-i386, pentium3): 32-bit protected mode, a different descriptor in each segment register, EAX to EDI
    /// A0000001h to A0000008h. From FEF8h on; what is before is zero.
    /// </summary>
    private const string FromQemu = """
        0000030000000200000000000000000000000000000000000000000010000000000000000000000000000000
        000000000000000093c00000ffffffff00100000f3800000ffffff0f00404400000000000000000000000000
        00000000230100006587090089000000670000000050050000000000000000003f000000d0000f0082000000
        ff0000000060060093400000ff1f0000000002009bc00000ffffffff0000000093c00000ffffffff00000f00
        180000000800000020000000100000002b00000000000000380000003000000000040000f00fffff010000a0
        020000a0030000a0040000a0050000a0060000a0070000a0080000a0b3000f00470400004523010011000060
        """;

    public static byte[] Qemu()
    {
        var image = new byte[SmramImage.Size];
        Convert.FromHexString(FromQemu.ReplaceLineEndings("")).CopyTo(image, 0xFEF8 - SmramImage.Start);
        return image;
    }
}
