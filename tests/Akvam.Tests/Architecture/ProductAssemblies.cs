using System.Reflection;

namespace Akvam.Tests.Architecture;

/// <summary>The compiled product, loaded from beside the tests.</summary>
internal static class ProductAssemblies
{
    public static IReadOnlyList<Assembly> All { get; } = DependencyRules.Assemblies
        .Select(name => Assembly.LoadFrom(Path.Combine(AppContext.BaseDirectory, name + ".dll")))
        .ToList();

    /// <summary>Types that people wrote: all but the compiler's, among them the class around top-level statements.</summary>
    public static IEnumerable<Type> Types(Assembly assembly) =>
        assembly.GetTypes().Where(type => !type.FullName!.Contains('<', StringComparison.Ordinal)
            && type.Namespace is not null and not "System.Runtime.CompilerServices" and not "Microsoft.CodeAnalysis");
}
