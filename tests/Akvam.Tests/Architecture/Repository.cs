namespace Akvam.Tests.Architecture;

/// <summary>The working tree that the tests run in.</summary>
internal static class Repository
{
    private static readonly string[] s_projectFolders = ["src", "tests"];

    private static readonly string[] s_textExtensions =
        [".cs", ".csproj", ".slnx", ".props", ".targets", ".json", ".md", ".c", ".h", ".S", ".asm", ".inc", ".sh", ".py", ".txt", ".editorconfig", ".gitignore", ""];

    public static string Root { get; } = FindRoot();

    /// <summary>C# files of the projects, without build output.</summary>
    public static IReadOnlyList<SourceFile> Sources() =>
        s_projectFolders.SelectMany(folder => Files(folder, "*.cs")).Select(Read).ToList();

    /// <summary>Sources below src/ only: the product.</summary>
    public static IReadOnlyList<SourceFile> ProductSources() => Sources().Where(file => file.Path.StartsWith("src/", StringComparison.Ordinal)).ToList();

    public static IReadOnlyList<SourceFile> ProjectFiles() => s_projectFolders.SelectMany(folder => Files(folder, "*.csproj")).Select(Read).ToList();

    /// <summary>Everything people read or build from.</summary>
    public static IReadOnlyList<SourceFile> TextFiles() =>
        Files(".", "*").Where(path => s_textExtensions.Contains(Path.GetExtension(path))).Select(Read).ToList();

    private static SourceFile Read(string path) => new(path, File.ReadAllText(Path.Combine(Root, path)));

    private static IEnumerable<string> Files(string folder, string pattern) =>
        Directory.EnumerateFiles(Path.Combine(Root, folder), pattern, SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(Root, path))
            .Where(path => !path.Split('/').Any(part => part is "bin" or "obj" or "artifacts" or ".git" or ".vs" or "TestResults"))
            .Order(StringComparer.Ordinal);

    private static string FindRoot()
    {
        for (DirectoryInfo? directory = new(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "Akvam.slnx")))
            {
                return directory.FullName;
            }
        }

        throw new InvalidOperationException("The architecture tests run from the build output inside the working tree; Akvam.slnx is in no folder above it.");
    }
}
