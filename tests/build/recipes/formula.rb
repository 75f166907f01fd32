# SPDX-License-Identifier: MIT
# formula.rb - runs a Homebrew formula without Homebrew: ruby formula.rb FORMULA SOURCES FOLDER. What a formula uses of its base
# class stands in for here, as its documentation has it; the package is FOLDER, and the formula's own test is run.
require "fileutils"
require "pathname"

class Pathname
  def write(text)
    dirname.mkpath
    File.write(to_s, text)
  end
end

def (ENV).cc
  fetch("CC", "cc")
end

class Formula
  FIELDS = %i[desc homepage url version license].freeze

  class << self
    attr_reader :fields, :its_test

    FIELDS.each { |field| define_method(field) { |value| (@fields ||= {})[field] = value } }

    def depends_on(what)
      (@fields ||= {})[:needs] = [*(@fields || {})[:needs], what]
    end

    def test(&block)
      @its_test = block
    end
  end

  attr_reader :testpath

  def initialize(prefix)
    @prefix = Pathname.new(prefix)
    @testpath = @prefix/"test"
  end

  def include = @prefix/"include"
  def lib = @prefix/"lib"

  def std_cmake_args
    ["-DCMAKE_INSTALL_PREFIX=#{@prefix}", "-DCMAKE_INSTALL_LIBDIR=lib", "-DCMAKE_BUILD_TYPE=Release", "-Wno-dev"]
  end

  def system(*command)
    out = IO.popen([*command.map(&:to_s), { err: %i[child out] }], &:read)
    abort "#{command.join(" ")}\n#{out[-3000..] || out}" unless $?.success?
  end
end

formula, sources, folder = ARGV.map { |path| File.expand_path(path) }
load formula
made = ObjectSpace.each_object(Class).find { |cls| cls < Formula }
missing = Formula::FIELDS - made.fields.keys
abort "the formula has no #{missing.join(", ")}" unless missing.empty?
brewed = made.new(folder)
Dir.chdir(sources) { brewed.install }
brewed.testpath.mkpath
Dir.chdir(brewed.testpath) { brewed.instance_eval(&made.its_test) }
puts "#{made.name}: installed, and its test passes"
