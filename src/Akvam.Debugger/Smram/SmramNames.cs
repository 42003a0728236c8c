namespace Akvam.Debugger.Smram;

/// <summary>The formats' names on a command line.</summary>
public static class SmramNames
{
    private static readonly Dictionary<SmramFormat, string> s_names = new()
    {
        [SmramFormat.Amd64] = "amd64",
        [SmramFormat.Kvm32] = "kvm32",
        [SmramFormat.Qemu32] = "qemu32",
        [SmramFormat.Bochs32] = "bochs32",
        [SmramFormat.P6] = "p6",
    };

    /// <summary>All names.</summary>
    public static IReadOnlyCollection<string> All => s_names.Values;

    /// <summary>A format's name.</summary>
    public static string Of(SmramFormat format) => s_names[format];

    /// <summary>The format of this name, or null.</summary>
    public static SmramFormat? Parse(string name) => s_names.Where(p => p.Value == name).Select(p => (SmramFormat?)p.Key).FirstOrDefault();
}
