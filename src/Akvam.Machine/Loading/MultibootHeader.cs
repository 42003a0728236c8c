using System.Buffers.Binary;

namespace Akvam.Machine.Loading;

/// <summary>The multiboot 1 header of an image [Multiboot 0.6.96, 3.1].</summary>
/// <param name="Offset">Where it lies in the file.</param>
/// <param name="Flags">What the image asks for.</param>
/// <param name="Address">The five address fields, when bit 16 of the flags says that they count.</param>
public sealed record MultibootHeader(int Offset, uint Flags, MultibootAddress? Address)
{
    /// <summary>The header's magic number.</summary>
    public const uint Magic = 0x1BAD_B002;

    private const int SearchBytes = 8192;
    private const uint HasAddress = 0x0001_0000;

    /// <summary>Flags a loader must understand or refuse the image: page-aligned modules, memory information, video mode.</summary>
    private const uint RequiredMask = 0xFFFF, Understood = 0x0003;

    /// <summary>Searches the first 8 KiB for the header: 4-byte aligned, its checksum right.</summary>
    public static MultibootHeader? Find(ReadOnlySpan<byte> image)
    {
        int end = Math.Min(image.Length, SearchBytes) - 12;
        for (int at = 0; at <= end; at += 4)
        {
            uint magic = BinaryPrimitives.ReadUInt32LittleEndian(image[at..]);
            if (magic != Magic)
            {
                continue;
            }

            uint flags = BinaryPrimitives.ReadUInt32LittleEndian(image[(at + 4)..]);
            uint checksum = BinaryPrimitives.ReadUInt32LittleEndian(image[(at + 8)..]);
            if (magic + flags + checksum == 0)
            {
                bool address = (flags & HasAddress) != 0 && image.Length >= at + 32;
                return new MultibootHeader(at, flags, address ? MultibootAddress.Read(image[(at + 12)..]) : null);
            }
        }

        return null;
    }

    /// <summary>The required features this loader does not have, or 0. The video mode (bit 2) is a wish, and refused silently.</summary>
    public uint Unsupported => Flags & RequiredMask & ~(Understood | 4u);
}
