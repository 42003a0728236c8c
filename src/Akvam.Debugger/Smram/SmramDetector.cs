using System.Buffers.Binary;

namespace Akvam.Debugger.Smram;

/// <summary>Tells formats apart: 64-bit images by their revision, 32-bit ones by how they store the attributes of the eight segment registers.</summary>
public static class SmramDetector
{
    private const int RevisionOffset = 0xFEFC, Map64 = 0x64;
    private const ulong Valid = 0x0100;

    private static readonly SmramFormat[] s_narrow = [SmramFormat.Kvm32, SmramFormat.Qemu32, SmramFormat.Bochs32, SmramFormat.P6];

    /// <summary>The format.</summary>
    /// <exception cref="SmramException">The bytes are no image, or could be several.</exception>
    public static SmramFormat Detect(ReadOnlySpan<byte> bytes)
    {
        uint revision = BinaryPrimitives.ReadUInt32LittleEndian(bytes[(RevisionOffset - SmramImage.Start)..]);
        switch (revision & 0xFFFF)
        {
            case Map64:
                return SmramFormat.Amd64;
            case >= 0x100:
                throw new SmramException($"revision {revision:x8} is that of Intel's own 64-bit map, which hides the segment registers; no virtual machine uses it");
            case not 0:
                throw new SmramException($"revision {revision:x8} is that of no known format; --format says which it is");
            default:
                break;
        }

        byte[] copy = bytes.ToArray();
        SmramFormat[] possible = [.. s_narrow.Where(format => Fits(new SmramImage(copy, format)))];
        return possible switch
        {
            [var only] => only,
            [] => throw new SmramException("no known format stores segment attributes like this; --format says which it is"),
            _ => throw new SmramException($"it could be {string.Join(" or ", possible.Select(SmramNames.Of))}; --format says which it is"),
        };
    }

    /// <summary>True when all eight records look as this format writes them. CS decides: it has a type, whatever the mode.</summary>
    private static bool Fits(SmramImage image)
    {
        foreach (SmramField field in SmramMaps.Fields(image.Format).Where(f => f.Kind == SmramFieldKind.Rights))
        {
            ulong raw = image.ReadRaw(field), rights = image.Read(field);
            bool fits = field.Packing switch
            {
                RightsPacking.Descriptor => raw == rights << 8,
                RightsPacking.Dword or RightsPacking.Word => raw == rights,
                _ => (raw & ~Valid) == rights && ((raw & Valid) != 0 || field.Segment != "CS"),
            };
            bool repeated = field.Packing is RightsPacking.Descriptor or RightsPacking.Dword || image[$"{field.Segment} selector again"] == image[$"{field.Segment}.selector"];
            if (!fits || !repeated || (field.Segment == "CS" && (rights & 0xF) == 0))
            {
                return false;
            }
        }

        return true;
    }
}
