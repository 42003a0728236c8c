using System.Reflection;

namespace Akvam.Tests.Architecture;

/// <summary>Rules that compiled types show better than their text.</summary>
internal static class TypeRules
{
    private static readonly string[] s_growing = ["List`1", "Dictionary`2", "HashSet`1", "Queue`1", "Stack`1", "ConcurrentDictionary`2", "ConcurrentQueue`1", "StringBuilder"];

    /// <summary>Static fields that may change, by full name, each with its reason.</summary>
    private static readonly Dictionary<string, string> s_allowedStatics = [];

    /// <summary>
    /// Static state that can change: several VMs share a process, so there is none. Read-only arrays pass as tables, filled by their initializer.
    /// </summary>
    public static IEnumerable<string> MutableStatics(Type type) =>
        type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
            .Where(field => !field.IsLiteral && !field.Name.Contains('<', StringComparison.Ordinal) && (!field.IsInitOnly || s_growing.Contains(field.FieldType.Name)))
            .Select(field => $"{type.FullName}.{field.Name}")
            .Concat(type.GetProperties(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
                .Where(property => property.CanWrite && !property.IsSpecialName)
                .Select(property => $"{type.FullName}.{property.Name}"))
            .Where(name => !s_allowedStatics.ContainsKey(name))
            .Select(name => $"{name}: static state");

    /// <summary>Classes that are neither sealed nor static nor abstract, and that nothing derives from.</summary>
    public static IEnumerable<string> Unsealed(IReadOnlyCollection<Type> types) =>
        types.Where(type => type is { IsClass: true, IsSealed: false, IsAbstract: false } && !types.Any(other => Definition(other.BaseType) == type))
            .Select(type => $"{type.FullName}: not sealed");

    private static Type? Definition(Type? type) => type is { IsGenericType: true } ? type.GetGenericTypeDefinition() : type;
}
