namespace Akvam.Debugger.Smram;

/// <summary>Finds the image in a file: the image alone (512 bytes), 32 KiB from SMBASE + 8000h, or 64 KiB and more from SMBASE.</summary>
public static class SmramFile
{
    private const int Half = 0x8000, LongestFile = 1 << 30;

    /// <summary>Reads an image.</summary>
    /// <param name="path">The file.</param>
    /// <param name="format">Its format, or null to find it out.</param>
    /// <param name="at">Where SMBASE lies in the file, in bytes; null when the file's size tells.</param>
    /// <exception cref="SmramException">The file cannot be read, or has no image at that place.</exception>
    public static SmramImage Read(string path, SmramFormat? format = null, long? at = null)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read);
            if (!file.CanSeek || file.Length > LongestFile)
            {
                throw new SmramException($"{path}: is no image and no dump of SMRAM");
            }

            long start = at is { } smbase ? smbase + SmramImage.Start : file.Length switch
            {
                SmramImage.Size => 0,
                Half => SmramImage.Start - Half,
                >= 2 * Half => SmramImage.Start,
                _ => throw new SmramException($"{path}: {file.Length} bytes; an image has {SmramImage.Size}, a dump of SMRAM 32768 from SMBASE + 8000h or at least 65536 from SMBASE"),
            };
            if (start < 0 || start + SmramImage.Size > file.Length)
            {
                throw new SmramException($"{path}: no image at {start:x}h, the file ends at {file.Length:x}h");
            }

            byte[] bytes = new byte[SmramImage.Size];
            file.Position = start;
            file.ReadExactly(bytes);
            if (format is null && bytes.AsSpan().IndexOfAnyExcept((byte)0) < 0)
            {
                throw new SmramException($"{path}: only zeros at {start:x}h, where the image would be; --at says where SMBASE lies in the file");
            }

            return new SmramImage(bytes, format ?? SmramDetector.Detect(bytes));
        }
        catch (SmramException e) when (!e.Message.StartsWith(path, StringComparison.Ordinal))
        {
            throw new SmramException($"{path}: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new SmramException($"{path}: cannot be read: {e.Message}", e);
        }
    }
}
