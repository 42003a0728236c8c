namespace Akvam.Debugger.Smram;

/// <summary>A field of an image.</summary>
/// <param name="Name">Its name, the same in all formats; of a segment's parts "CS.selector", "CS.rights", "CS.limit" and "CS.base".</param>
/// <param name="Offset">Bytes from SMBASE.</param>
/// <param name="Width">1, 2, 4 or 8 bytes.</param>
/// <param name="Kind">What it holds.</param>
/// <param name="Packing">How it stores a segment's attributes, where it does.</param>
/// <param name="CopyOf">The field it repeats, or null.</param>
public sealed record SmramField(
    string Name, int Offset, int Width, SmramFieldKind Kind = SmramFieldKind.Number, RightsPacking Packing = RightsPacking.Word, string? CopyOf = null)
{
    /// <summary>The segment register this is a part of, or null.</summary>
    public string? Segment => Kind is SmramFieldKind.Selector or SmramFieldKind.Rights or SmramFieldKind.Limit or SmramFieldKind.Base ? Name[..Name.IndexOf('.', StringComparison.Ordinal)] : null;
}
