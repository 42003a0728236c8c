namespace Akvam.Tests.Architecture;

/// <summary>Arrows between projects: Cli → Machine, Debugger → Akvam → Cpu, Devices, Abi, and never back.</summary>
public sealed class DependencyTests
{
    [Fact]
    public void Projects_reference_only_what_they_may()
    {
        List<SourceFile> projects = Repository.ProjectFiles().Where(project => project.Path.StartsWith("src/", StringComparison.Ordinal)).ToList();

        Assert.True(projects.Count >= 7, "project files were not found");
        Violations.None(projects.SelectMany(DependencyRules.CheckProject));
    }

    [Fact]
    public void Assemblies_use_only_what_they_may() => Violations.None(
        ProductAssemblies.All.SelectMany(assembly =>
            DependencyRules.CheckAssembly(assembly.GetName().Name!, assembly.GetReferencedAssemblies().Select(reference => reference.Name!))));

    [Theory]
    [InlineData("Akvam.Cpu", "<ProjectReference Include=\"../Akvam/Akvam.csproj\" />", "Akvam.Cpu may not know Akvam")]
    [InlineData("Akvam.Machine", "<ProjectReference Include=\"..\\Akvam.Cpu\\Akvam.Cpu.csproj\" />", "Akvam.Machine may not know Akvam.Cpu")]
    [InlineData("Akvam.Devices", "<PackageReference Include=\"Iced\" />", "Akvam.Devices may not use package Iced")]
    [InlineData("Akvam", "<InternalsVisibleTo Include=\"Akvam.Machine\" />", "internals of Akvam are open to Akvam.Machine")]
    [InlineData("Akvam.Abi", "<Reference Include=\"Some.dll\" />", "Akvam.Abi references the file Some.dll")]
    [InlineData("Akvam.New", "", "unknown project")]
    public void A_wrong_arrow_is_found(string name, string item, string finding)
    {
        SourceFile project = new($"src/{name}/{name}.csproj", $"<Project><ItemGroup>{item}</ItemGroup></Project>");

        Assert.Contains(finding, Assert.Single(DependencyRules.CheckProject(project)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_right_arrow_passes() => Assert.Empty(DependencyRules.CheckProject(
        new("src/Akvam.Cli/Akvam.Cli.csproj", "<Project><ItemGroup><ProjectReference Include=\"../Akvam.Machine/Akvam.Machine.csproj\" /></ItemGroup></Project>")));

    [Fact]
    public void An_arrow_through_a_handed_on_reference_is_found() =>
        Assert.Equal("Akvam.Machine uses types of Akvam.Cpu", Assert.Single(DependencyRules.CheckAssembly("Akvam.Machine", ["System.Runtime", "Akvam", "Akvam.Cpu"])));
}
