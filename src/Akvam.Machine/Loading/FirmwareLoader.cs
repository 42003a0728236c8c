namespace Akvam.Machine.Loading;

/// <summary>Firmware images, which end at 4 GiB so that the reset vector is 16 bytes before their end.</summary>
public static class FirmwareLoader
{
    /// <summary>A larger image would reach into the local APIC's and I/O APIC's addresses.</summary>
    public const int MaximumBytes = 16 << 20;

    private const int Granule = 64 << 10;
    private const int AliasBytes = 128 << 10;

    /// <summary>Whether an image can be firmware: whole 64-KiB pieces, and code at the reset vector.</summary>
    public static bool LooksLikeFirmware(ReadOnlySpan<byte> image)
    {
        if (image.Length == 0 || image.Length % Granule != 0 || image.Length > MaximumBytes)
        {
            return false;
        }

        ReadOnlySpan<byte> vector = image[^16..];
        return vector.ContainsAnyExcept((byte)0x00) && vector.ContainsAnyExcept((byte)0xFF);
    }

    /// <summary>Copies the top 128 KiB below 1 MiB, where the first far jump leads. The image at 4 GiB is the board's ROM.</summary>
    /// <returns>The state of the first processor: reset.</returns>
    public static StartState Load(GuestImage image, IGuestMemory memory)
    {
        int length = Math.Min(image.Bytes.Length, AliasBytes);
        memory.Write(0x100000 - (ulong)length, image.Bytes.AsSpan(image.Bytes.Length - length));
        return new StartState(StartMode.Reset, 0);
    }
}
