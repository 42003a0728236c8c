using System.Reflection;
using System.Text.RegularExpressions;
using Akvam.Abi;

namespace Akvam.Tests.Architecture;

/// <summary>What must not be in any file: traces of one machine, and ABI names in another spelling.</summary>
internal static partial class TextRules
{
    private static readonly HashSet<string> s_structs = typeof(KvmApi).Assembly.GetExportedTypes().Where(type => type.IsValueType).Select(type => type.Name).ToHashSet();

    /// <summary>Paths below somebody's home or work folder, addresses of private networks, package registries.</summary>
    public static IEnumerable<string> MachineTraces(SourceFile file)
    {
        string[] lines = file.Lines;
        for (int i = 0; i < lines.Length; i++)
        {
            Match match = Trace().Match(lines[i]);
            if (match.Success)
            {
                yield return $"{file.Path}:{i + 1}: {match.Value}";
            }
        }
    }

    /// <summary>Identifiers that are an ABI constant in another spelling: <c>KvmExitMmio</c> for <c>KVM_EXIT_MMIO</c>.</summary>
    public static IEnumerable<string> ForeignSpelling(SourceFile file, IReadOnlyDictionary<string, string> constants) =>
        Identifier().Matches(file.Code).Select(match => match.Value).Distinct()
            .Where(word => !IsNativeStruct(word) && constants.TryGetValue(Squash(word), out string? native) && native != word)
            .Select(word => $"{file.Path}: {word} is {constants[Squash(word)]}");

    /// <summary>Native names of the ABI's constants by their squashed form.</summary>
    public static IReadOnlyDictionary<string, string> NativeNames(Assembly abi) =>
        abi.GetExportedTypes().SelectMany(type => type.GetFields(BindingFlags.Public | BindingFlags.Static).Where(field => field.IsLiteral))
            .Select(field => field.Name)
            .Where(name => name.StartsWith("KVM_", StringComparison.Ordinal) || name.StartsWith("MSR_", StringComparison.Ordinal))
            .ToDictionary(Squash);

    /// <summary>Public constants of the ABI that are not in capitals.</summary>
    public static IEnumerable<string> NotNative(Type type) =>
        type.GetFields(BindingFlags.Public | BindingFlags.Static).Where(field => field.IsLiteral && !Native().IsMatch(field.Name)).Select(field => $"{type.Name}.{field.Name}");

    /// <summary>Structures are lower-case, and some share their name with a request: <c>kvm_irqfd</c> and <c>KVM_IRQFD</c>.</summary>
    private static bool IsNativeStruct(string word) => s_structs.Contains(word);

    private static string Squash(string name) => name.Replace("_", "", StringComparison.Ordinal).ToUpperInvariant();

    [GeneratedRegex(@"(?<![\w.$}~/-])/(?:work|root|home|Users|tmp/w)/\w[\w./-]*|\b(?:10|192\.168)\.\d{1,3}\.\d{1,3}(?:\.\d{1,3})?:\d+|https?://[\w.:-]*(?:nuget|npmjs|pypi|artifactory|jfrog|registry|proxy)[\w./:-]*")]
    private static partial Regex Trace();

    [GeneratedRegex(@"\b[A-Za-z_]\w+\b")]
    private static partial Regex Identifier();

    [GeneratedRegex("^[A-Z][A-Z0-9_]*$")]
    private static partial Regex Native();
}
