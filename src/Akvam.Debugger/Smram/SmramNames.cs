namespace Akvam.Debugger.Smram;

/// <summary>The formats' names on a command line, in the order of <see cref="SmramFormat"/>.</summary>
public static class SmramNames
{
    private static readonly string[] s_names = ["amd64", "kvm32", "qemu32", "bochs32", "p6"];

    /// <summary>All names.</summary>
    public static IReadOnlyCollection<string> All => s_names;

    /// <summary>A format's name.</summary>
    public static string Of(SmramFormat format) => s_names[(int)format];

    /// <summary>The format of this name, or null.</summary>
    public static SmramFormat? Parse(string name) => Array.IndexOf(s_names, name) is >= 0 and int n ? (SmramFormat)n : null;
}
