namespace Akvam.Tests.Architecture;

/// <summary>No static state, sealed by default.</summary>
public sealed class TypeTests
{
    [Fact]
    public void There_is_no_static_state()
    {
        List<Type> types = ProductAssemblies.All.SelectMany(ProductAssemblies.Types).ToList();

        Assert.True(types.Count > 100, "the product's types were not found");
        Violations.None(types.SelectMany(TypeRules.MutableStatics));
    }

    [Fact]
    public void Classes_are_sealed_unless_derived_from() =>
        Violations.None(TypeRules.Unsealed(ProductAssemblies.All.SelectMany(ProductAssemblies.Types).ToList()));

    [Fact]
    public void Static_state_is_found()
    {
        string name = typeof(WithState).FullName!;

        Assert.Equal(
            [$"{name}._counter: static state", $"{name}.s_names: static state", $"{name}.Current: static state"],
            TypeRules.MutableStatics(typeof(WithState)));
        Assert.Empty(TypeRules.MutableStatics(typeof(WithoutState)));
    }

    [Fact]
    public void An_unsealed_class_is_found() =>
        Assert.Equal($"{typeof(Open).FullName}: not sealed", Assert.Single(TypeRules.Unsealed([typeof(Open), typeof(Base<>), typeof(Derived), typeof(WithState)])));

    private static class WithState
    {
#pragma warning disable CS0414, CS0169, IDE0044, IDE0052, CA1823 // the point is that the fields are there
        private static int _counter = 1;
        private static readonly List<string> s_names = [];
#pragma warning restore CS0414, CS0169, IDE0044, IDE0052, CA1823

        public static string? Current { get; set; }
    }

    private static class WithoutState
    {
        public const int Limit = 1;

        public static IReadOnlyList<int> Table { get; } = [1, 2];
    }

    private class Open;

    private class Base<T>;

    private sealed class Derived : Base<int>;
}
