namespace Akvam.Debugger.Smram;

/// <summary>Rewrites an image in another 32-bit format, so that a state saved by one emulator can be resumed by another.</summary>
public static class SmramConverter
{
    /// <summary>The same state in another format.</summary>
    /// <param name="image">The image.</param>
    /// <param name="format">The format it shall have.</param>
    /// <param name="lost">Names of fields that are not zero and that the other format has no place for.</param>
    /// <exception cref="SmramException">The one is a 64-bit map, the other not: neither can hold the other's registers.</exception>
    public static SmramImage Convert(SmramImage image, SmramFormat format, out IReadOnlyList<string> lost)
    {
        ArgumentNullException.ThrowIfNull(image);
        if ((image.Format == SmramFormat.Amd64) != (format == SmramFormat.Amd64))
        {
            throw new SmramException($"{SmramNames.Of(image.Format)} and {SmramNames.Of(format)} hold different registers; only 32-bit formats can be converted into each other");
        }

        var result = new SmramImage(new byte[SmramImage.Size], format);
        foreach (SmramField field in SmramMaps.Fields(format))
        {
            result.Write(field, image[field.CopyOf ?? field.Name]);
        }

        if (SmramMaps.Find(format, "CPL") is { } cpl && image.Format != format)
        {
            // Elsewhere the CPL is the DPL of SS.
            result.Write(cpl, image["SS.rights"] >> 5 & 3);
        }

        lost = [.. SmramMaps.Fields(image.Format).Where(f => f.CopyOf is null && f.Name != "CPL" && image.Read(f) != 0 && SmramMaps.Find(format, f.Name) is null).Select(f => f.Name)];
        return result;
    }
}
