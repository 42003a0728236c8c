namespace Akvam.Machine.Loading;

/// <summary>The kinds of guest image, told apart by content.</summary>
public enum ImageKind
{
    /// <summary>A compressed Linux kernel with the boot-protocol header.</summary>
    LinuxBzImage,

    /// <summary>An uncompressed 64-bit Linux kernel (vmlinux).</summary>
    LinuxElf,

    /// <summary>A 32- or 64-bit ELF file with a multiboot 1 header.</summary>
    Multiboot,

    /// <summary>Real-mode code without a header.</summary>
    Flat,

    /// <summary>A firmware ROM whose last 16 bytes are the reset vector.</summary>
    Firmware,
}
