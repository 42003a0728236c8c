namespace Akvam.Tests.Architecture;

/// <summary>Files of a size and shape that a person finds their way in.</summary>
public sealed class FileTests
{
    [Fact]
    public void No_file_is_too_long()
    {
        IReadOnlyList<SourceFile> files = Repository.Sources();

        Assert.True(files.Count > 50, "the sources were not found");
        Violations.None(files.SelectMany(FileRules.TooLong));
    }

    [Fact]
    public void A_file_holds_one_type() => Violations.None(Repository.ProductSources().SelectMany(FileRules.SeveralTypes));

    [Fact]
    public void Public_types_are_documented() => Violations.None(Repository.ProductSources().SelectMany(FileRules.Undocumented));

    [Theory]
    [InlineData("src/Akvam/A.cs", 1001, "1001 lines, the limit is 1000")]
    [InlineData("src/Akvam/A.cs", 601, "needs a reason")]
    public void A_long_file_is_found(string path, int lines, string finding) =>
        Assert.Contains(finding, Assert.Single(FileRules.TooLong(new(path, new string('\n', lines)))), StringComparison.Ordinal);

    [Theory]
    [InlineData("src/Akvam/A.cs", 600)]
    [InlineData("src/Akvam.Cpu/Semantics/IsaTable.cs", 5000)]
    public void A_short_file_or_a_table_passes(string path, int lines) => Assert.Empty(FileRules.TooLong(new(path, new string('\n', lines))));

    [Theory]
    [InlineData("src/Akvam/A.cs", "public sealed class A\n{\n}\n\ninternal enum B\n{\n}\n", "2 types: A, B")]
    [InlineData("src/Akvam/A.cs", "internal readonly record struct B(int X);\n", "holds B")]
    [InlineData("src/Akvam/A.cs", "public sealed class A;\npublic delegate void D(int x);\n", "2 types: A, D")]
    public void A_second_type_is_found(string path, string text, string finding) =>
        Assert.Contains(finding, Assert.Single(FileRules.SeveralTypes(new(path, text))), StringComparison.Ordinal);

    [Theory]
    [InlineData("src/Akvam/A.cs", "public sealed class A\n{\n    private enum B\n    {\n    }\n}\n")]
    [InlineData("src/Akvam/A.Part.cs", "public sealed partial class A\n{\n}\n")]
    [InlineData("src/Akvam.Cpu/Semantics/Alu.cs", "internal class Add;\ninternal class Sub;\n")]
    public void Nested_types_parts_and_families_pass(string path, string text) => Assert.Empty(FileRules.SeveralTypes(new(path, text)));

    [Theory]
    [InlineData("public sealed class A\n{\n}\n", 1)]
    [InlineData("// A comment, but not documentation.\n[Serializable]\npublic struct A\n{\n}\n", 3)]
    [InlineData("/// <summary>One.</summary>\npublic struct A\n{\n    public enum B { X }\n}\n", 4)]
    public void A_public_type_without_documentation_is_found(string text, int line) =>
        Assert.StartsWith($"src/Akvam/A.cs:{line}:", Assert.Single(FileRules.Undocumented(new("src/Akvam/A.cs", text))), StringComparison.Ordinal);

    [Fact]
    public void A_documented_public_type_passes() =>
        Assert.Empty(FileRules.Undocumented(new("src/Akvam/A.cs", "/// <summary>One.</summary>\n[Serializable]\npublic sealed class A;\n\ninternal class B;\n")));
}
