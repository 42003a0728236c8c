namespace Akvam.Tests.Architecture;

/// <summary>Unsafe code is in few places, and says why it is right.</summary>
public sealed class UnsafeTests
{
    [Fact]
    public void Unsafe_code_is_where_it_may_be() => Violations.None(Repository.ProductSources().SelectMany(UnsafeRules.WrongPlace));

    [Fact]
    public void Unsafe_types_say_what_keeps_them_valid() => Violations.None(UnsafeRules.Unexplained(Repository.ProductSources()));

    [Fact]
    public void Projects_without_unsafe_code_do_not_allow_it() => Violations.None(
        Repository.ProjectFiles().Where(project => project.Path.StartsWith("src/", StringComparison.Ordinal)).SelectMany(UnsafeRules.NeedlessPermission));

    [Theory]
    [InlineData("src/Akvam.Devices/Akvam.Devices.csproj", 1)]
    [InlineData("src/Akvam.Cpu/Akvam.Cpu.csproj", 0)]
    public void A_needless_permission_is_found(string path, int findings) =>
        Assert.Equal(findings, UnsafeRules.NeedlessPermission(new(path, "<AllowUnsafeBlocks>true</AllowUnsafeBlocks>")).Count());

    [Theory]
    [InlineData("src/Akvam.Devices/Pic.cs", "internal unsafe class Pic;\n", 1)]
    [InlineData("src/Akvam.Machine/Uart.cs", "class Uart\n{\n    unsafe void F(int* p) { }\n}\n", 1)]
    [InlineData("src/Akvam.Machine/Uart.cs", "// unsafe in a comment\n", 0)]
    [InlineData("src/Akvam.Cpu/State/CpuState.cs", "internal unsafe struct CpuState;\n", 0)]
    public void Unsafe_code_in_a_wrong_place_is_found(string path, string text, int findings) => Assert.Equal(findings, UnsafeRules.WrongPlace(new(path, text)).Count());

    [Fact]
    public void An_unexplained_unsafe_type_is_found() =>
        Assert.Contains(
            "unsafe type A",
            Assert.Single(UnsafeRules.Unexplained([new("src/Akvam.Cpu/A.cs", "/// <summary>Points.</summary>\n[Foo]\npublic static unsafe class A\n{\n}\n")])),
            StringComparison.Ordinal);

    [Fact]
    public void One_part_of_a_partial_type_explains_all() => Assert.Empty(UnsafeRules.Unexplained(
        [
            new("src/Akvam.Cpu/A.cs", "/// <summary>Points.</summary>\n/// <remarks>Valid while its owner lives.</remarks>\n[Foo]\npublic unsafe partial class A\n{\n}\n"),
            new("src/Akvam.Cpu/A.Part.cs", "public unsafe partial class A\n{\n}\n"),
        ]));
}
