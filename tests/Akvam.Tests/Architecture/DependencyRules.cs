using System.Xml.Linq;

namespace Akvam.Tests.Architecture;

/// <summary>Which project may know which, and which packages it may use. A project that is not listed here is a violation itself.</summary>
internal static class DependencyRules
{
    private static readonly Dictionary<string, string[]> s_projects = new()
    {
        ["Akvam.Abi"] = [],
        ["Akvam.Cpu"] = [],
        ["Akvam.Devices"] = [],
        ["Akvam"] = ["Akvam.Abi", "Akvam.Cpu", "Akvam.Devices"],
        ["Akvam.Preload"] = ["Akvam", "Akvam.Abi", "Akvam.Debugger"],
        ["Akvam.Machine"] = ["Akvam"],
        ["Akvam.Debugger"] = ["Akvam"],
        ["Akvam.Cli"] = ["Akvam.Machine", "Akvam.Debugger"],
    };

    private static readonly Dictionary<string, string[]> s_packages = new()
    {
        ["Akvam.Cpu"] = ["Iced"],
        ["Akvam.Cli"] = ["System.CommandLine", "Spectre.Console"],
    };

    /// <summary>
    /// What the compiled assembly may mention, where that is less than the arrows would let through: MSBuild hands references on, but Machine, Cli and Debugger
    /// stand on the public library only.
    /// </summary>
    private static readonly Dictionary<string, string[]> s_assemblies = new()
    {
        ["Akvam.Abi"] = [],
        ["Akvam.Cpu"] = [],
        ["Akvam.Devices"] = [],
        ["Akvam"] = ["Akvam.Abi", "Akvam.Cpu", "Akvam.Devices"],
        ["Akvam.Machine"] = ["Akvam", "Akvam.Abi"],
        ["Akvam.Preload"] = ["Akvam", "Akvam.Abi", "Akvam.Debugger"],
        ["Akvam.Debugger"] = ["Akvam", "Akvam.Abi"],
        ["akvam-cli"] = ["Akvam.Machine", "Akvam.Debugger", "Akvam", "Akvam.Abi"],
    };

    /// <summary>Names of the product's assemblies, as the compiler writes them.</summary>
    public static IEnumerable<string> Assemblies => s_assemblies.Keys;

    /// <summary>Findings in one project file below src/.</summary>
    public static IEnumerable<string> CheckProject(SourceFile project)
    {
        string name = Path.GetFileNameWithoutExtension(project.Path);
        if (!s_projects.TryGetValue(name, out string[]? allowed))
        {
            return [$"{project.Path}: unknown project; give it a place in {nameof(DependencyRules)}"];
        }

        XDocument xml = XDocument.Parse(project.Text);
        string[] packages = s_packages.GetValueOrDefault(name, []);
        return Includes(xml, "ProjectReference").Select(path => Path.GetFileNameWithoutExtension(path.Replace('\\', '/')))
            .Where(reference => !allowed.Contains(reference))
            .Select(reference => $"{project.Path}: {name} may not know {reference}")
            .Concat(Includes(xml, "PackageReference").Where(package => !packages.Contains(package)).Select(package => $"{project.Path}: {name} may not use package {package}"))
            .Concat(Includes(xml, "InternalsVisibleTo").Where(friend => !friend.EndsWith("Tests", StringComparison.Ordinal)).Select(friend => $"{project.Path}: internals of {name} are open to {friend}"))
            .Concat(Includes(xml, "Reference").Select(file => $"{project.Path}: {name} references the file {file}"));
    }

    /// <summary>Findings in what a compiled assembly references.</summary>
    public static IEnumerable<string> CheckAssembly(string name, IEnumerable<string> references) =>
        references.Where(s_assemblies.ContainsKey).Where(reference => !s_assemblies[name].Contains(reference)).Select(reference => $"{name} uses types of {reference}");

    private static IEnumerable<string> Includes(XDocument xml, string element) =>
        xml.Descendants(element).Select(item => (string?)item.Attribute("Include")).OfType<string>();
}
